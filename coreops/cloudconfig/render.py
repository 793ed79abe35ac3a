"""Many hosts to a *render*: a file a node and an index, as bytes. Pure; ``folder`` keeps it. Imports pydantic late.

Deterministic: no time, no order but the inventory's, no path of this machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from coreops.cloudconfig.loss import Loss, refuse
from coreops.cloudconfig.platforms.platform import Platform
from coreops.cloudconfig.platforms.size import fit
from coreops.cloudconfig.read import Host, Reader
from coreops.errors import InputError, did_you_mean

INDEX: Final = "index.json"
TARGETS: Final = ("coreos", "cloud-init")


@dataclass(frozen=True, slots=True)
class NodeFile:
    """One node's user-data. zipped: compressed, because the platform takes no more bytes than it has limited."""

    node: str
    role: str
    data: bytes
    zipped: bool
    losses: tuple[Loss, ...]

    @property
    def name(self) -> str:
        """The file's name: the node's, with what no file name may hold written as %XX."""
        safe = quote(self.node, safe="@:+,=")
        return f"{'%2E' + safe[1:] if safe.startswith('.') else safe}.yaml{'.gz' if self.zipped else ''}"


@dataclass(frozen=True, slots=True)
class Render:
    """What is to be kept in a folder."""

    target: str
    platform: str | None
    nodes: tuple[NodeFile, ...]

    def files(self) -> dict[str, bytes]:
        """Every file by its name, the index among them."""
        return {each.name: each.data for each in self.nodes} | {INDEX: self.index()}

    def index(self) -> bytes:
        """The index: for each node its file, digest, size, role and losses."""
        nodes = {each.node: _described(each) for each in self.nodes}
        shown = {"format": 1, "target": self.target, "platform": self.platform, "nodes": nodes}
        return (json.dumps(shown, indent=2, ensure_ascii=False) + "\n").encode()


def _described(each: NodeFile) -> dict[str, Any]:
    return {
        "file": each.name,
        "sha256": hashlib.sha256(each.data).hexdigest(),
        "bytes": len(each.data),
        "role": each.role,
        "losses": [str(loss) for loss in each.losses],
    }


def check_target(target: str) -> str:
    """Return a known target's name. Raises InputError."""
    if target not in TARGETS:
        raise InputError(
            f"there is no target {target!r}",
            why=f"targets: {', '.join(TARGETS)}",
            next=did_you_mean(target, TARGETS),
        )
    return target


def render(
    hosts: Iterable[Host], reader: Reader, target: str, platform: Platform, *, named: bool, allow_loss: bool
) -> Render:
    """Render hosts for one target and platform. named False: the platform is only a stand-in. Raises InputError."""
    check_target(target)
    done = tuple(_one(host, reader, target, platform, allow_loss=allow_loss) for host in hosts)
    names = {each.name.lower(): each.node for each in done}
    for each in done:
        if (other := names[each.name.lower()]) != each.node:
            raise InputError(
                f"{each.node} and {other} would share a file where file names ignore case", next="rename one"
            )
    return Render(target, platform.name if named else None, done)


def _one(host: Host, reader: Reader, target: str, platform: Platform, *, allow_loss: bool) -> NodeFile:
    from coreops.cloudconfig.model import node_of
    from coreops.cloudconfig.targets import TARGETS as RENDER

    marked = reader.read(host, target, platform)
    node = node_of(marked, host.name)
    try:
        done = RENDER[target](node)
    except InputError as error:
        raise InputError(error.what, where=error.where or f"host {host.name}", why=error.why, next=error.next) from None
    if not allow_loss:
        refuse(done.losses, target, f"host {host.name}")
    size = fit(done.data, platform)
    if size.over:
        biggest = sorted(node.write_files, key=lambda each: -len(each.content))[:3]
        why = ", ".join(f"{each.path} ({len(each.content.encode())})" for each in biggest)
        raise InputError(
            f"{size.over} {size.unit} too many for {platform.name}, which takes {size.most}",
            where=f"host {host.name}",
            why=f"the biggest files: {why}" if why else None,
            next="fetch large content on the node (a unit, or a playbook) instead of carrying it in user-data",
        )
    return NodeFile(host.name, host.role, size.data, size.zipped, done.losses)
