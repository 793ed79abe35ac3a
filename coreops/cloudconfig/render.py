"""Many hosts to a *render*: a file a node and an index, as bytes. Pure; ``folder`` keeps it. Imports pydantic late.

Deterministic: no time, no order but the inventory's, no path of this machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from coreops.cloudconfig.loss import Loss, refuse
from coreops.cloudconfig.platforms.platform import Platform
from coreops.cloudconfig.platforms.size import Fit, fit
from coreops.cloudconfig.read import Host, Reader
from coreops.cloudconfig.secrets import Secret, find
from coreops.cloudconfig.secrets import refuse as refuse_secrets
from coreops.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from coreops.cloudconfig.model import Node

INDEX: Final = "index.json"
SUFFIXES: Final = {"coreos": ".yaml", "cloud-init": ".yaml", "ignition": ".ign", "butane": ".bu"}
TARGETS: Final = tuple(SUFFIXES)
_WITH_SPEC: Final = ("ignition", "butane")
_BIGGEST: Final = 3


@dataclass(frozen=True, slots=True)
class NodeFile:
    """One node's user-data. zipped: compressed, because as it is it would be larger than the platform's limit.

    packed: files that deliver it, by their names, where such were asked for.
    """

    node: str
    role: str
    data: bytes
    zipped: bool
    losses: tuple[Loss, ...]
    suffix: str = ".yaml"
    hostname: str | None = None
    secrets: tuple[Secret, ...] = ()
    packed: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name: the node's, with what no file name may hold written as %XX."""
        safe = quote(self.node, safe="@:+,=")
        return f"{'%2E' + safe[1:] if safe.startswith('.') else safe}{self.suffix}{'.gz' if self.zipped else ''}"


@dataclass(frozen=True, slots=True)
class Render:
    """What is to be kept in a folder. spec: of Ignition, where the target has one. form: how it is packed."""

    target: str
    platform: str | None
    nodes: tuple[NodeFile, ...]
    spec: str | None = None
    form: str | None = None

    def files(self) -> dict[str, bytes]:
        """Every file by its name, the index among them."""
        packed = {name: data for each in self.nodes for name, data in each.packed.items()}
        return packed | {each.name: each.data for each in self.nodes} | {INDEX: self.index()}

    def index(self) -> bytes:
        """The index: for each node its file, digest, size, role, losses, and where it holds secrets."""
        nodes = {each.node: _described(each) for each in self.nodes}
        more = {key: value for key, value in (("spec", self.spec), ("form", self.form)) if value is not None}
        shown = {"format": 1, "target": self.target, "platform": self.platform, **more, "nodes": nodes}
        return (json.dumps(shown, indent=2, ensure_ascii=False) + "\n").encode()


def _described(each: NodeFile) -> dict[str, Any]:
    packed = {"packed": sorted(set(each.packed) - {each.name})} if each.packed else {}
    return {
        "file": each.name,
        "sha256": hashlib.sha256(each.data).hexdigest(),
        "bytes": len(each.data),
        "role": each.role,
        "losses": [str(loss) for loss in each.losses],
        "secrets": [str(secret) for secret in each.secrets if not secret.hashed],
        **packed,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to render nodes for. named False: the platform is only a stand-in. spec None: the target's default."""

    target: str
    platform: Platform
    named: bool = True
    spec: str | None = None
    allow_loss: bool = False
    allow_secrets: bool = False


def check_target(target: str) -> str:
    """Return a known target's name. Raises InputError."""
    if target not in TARGETS:
        raise InputError(
            f"there is no target {target!r}",
            why=f"targets: {', '.join(TARGETS)}",
            next=did_you_mean(target, TARGETS),
        )
    return target


def render(hosts: Iterable[Host], reader: Reader, wanted: Wanted) -> Render:
    """Render hosts for one target and platform. Raises InputError."""
    check_target(wanted.target)
    spec = _spec(wanted)
    done = tuple(_one(host, reader, wanted) for host in hosts)
    names = {each.name.lower(): each.node for each in done}
    for each in done:
        if (other := names[each.name.lower()]) != each.node:
            raise InputError(
                f"{each.node} and {other} would share a file where file names ignore case", next="rename one"
            )
    return Render(wanted.target, wanted.platform.name if wanted.named else None, done, spec)


def _spec(wanted: Wanted) -> str | None:
    """The version of Ignition's spec that is rendered. Raises InputError for one that there is not."""
    from coreops.cloudconfig.targets import specs

    if wanted.target in _WITH_SPEC:
        return specs.find(wanted.spec).version
    if wanted.spec is not None:
        raise InputError(f"the target {wanted.target} has no spec", next=f"--spec is for {' and '.join(_WITH_SPEC)}")
    return None


def _one(host: Host, reader: Reader, wanted: Wanted) -> NodeFile:
    from coreops.cloudconfig.model import node_of
    from coreops.cloudconfig.targets import TARGETS as RENDER

    platform = wanted.platform
    marked = reader.read(host, wanted.target, platform)
    secrets = find(marked, host.secrets)
    if not wanted.allow_secrets:
        refuse_secrets(secrets, platform, host.name)
    node = node_of(marked, host.name)
    try:
        done = RENDER[wanted.target](node, spec=wanted.spec)
    except InputError as error:
        raise InputError(error.what, where=error.where or f"host {host.name}", why=error.why, next=error.next) from None
    if not wanted.allow_loss:
        refuse(done.losses, wanted.target, host.name, marked)
    size = fit(done.data, platform, wanted.target)
    if size.over:
        raise _too_large(size, host.name, node, wanted)
    suffix = SUFFIXES[wanted.target]
    return NodeFile(host.name, host.role, size.data, size.zipped, done.losses, suffix, node.hostname, secrets)


def _too_large(size: Fit, host: str, node: Node, wanted: Wanted) -> InputError:
    platform = wanted.platform
    contents = [(each.path, each.content) for each in node.write_files]
    contents += [(unit.name, unit.content) for unit in node.coreos.units if unit.content]
    biggest = sorted(contents, key=lambda each: -len(each[1]))[:_BIGGEST]
    shown = ", ".join(f"{name} ({len(content.encode())})" for name, content in biggest)
    how = "compressed" if size.zipped else "as it is"
    return InputError(
        f"{size.over} {size.unit} too many for {platform.name}: {size.size}, and it takes {size.most}",
        where=f"host {host}",
        why=f"measured {how}" + (f"; the biggest contents, in bytes: {shown}" if shown else ""),
        next="fetch large content on the node (a unit, or a playbook) instead of carrying it in user-data",
    )
