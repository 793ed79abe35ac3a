"""What ``coreops bootstrap`` needs to know of a scheduler before it opens anything: hosts, certificates, artifacts,
playbook, secrets; and the phases to run after the store's. Reads files; every mistake in the input is found here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreops.errors import InputError
from coreops.playbook.shipped import shipped
from coreops.schedulers import kept, settings
from coreops.schedulers.hands import PATIENCE
from coreops.schedulers.kept import Kept
from coreops.schedulers.protocol import Carries, Issues, Node, Remembers, Renews, Seen
from coreops.schedulers.settings import Wanted
from coreops.store import lockfile
from coreops.store.lockfile import Locked

if TYPE_CHECKING:
    from coreops.inventory import Inventory


@dataclass(slots=True, kw_only=True)
class Install:
    """One run's part for the scheduler. renewed: secrets that are made anew, here; issued: by the engine. What stands
    below ``patience`` is found out by the phases.
    """

    wanted: Wanted
    locked: Mapping[str, Locked]
    playbook: Path | None
    secrets: Kept
    rotate: bool = False
    renewed: tuple[str, ...] = ()
    issued: tuple[str, ...] = ()
    patience: float = PATIENCE
    archives: dict[str, str] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    strays: tuple[str, ...] = ()
    rotated: tuple[str, ...] = ()
    nodes: tuple[Node, ...] = ()
    settled: bool = False

    @property
    def name(self) -> str:
        return self.wanted.name

    def said(self) -> dict[str, Any]:
        """What came of it, for ``store.run.Result.further``."""
        return {
            "name": self.name,
            "nodes": [node.host or node.name for node in self.nodes],
            "leader": next((node.host or node.name for node in self.nodes if node.leader), ""),
            "changes": list(self.changes),
            "strays": list(self.strays),
            "rotated": list(self.rotated),
        }


def prepare(
    inventory: Inventory, connection: Mapping[str, Any], playbook: Path, *, rotate: bool = False
) -> Install | None:
    """None when the inventory has no scheduler. playbook: of the store; a scheduler's own copy may lie beside it.

    Raises InputError; nothing has been opened then.
    """
    wanted = settings.read(inventory, connection)
    if wanted is None:
        if rotate:
            raise InputError("there are no tokens to rotate", where=inventory.base, why="no host has a scheduler")
        return None
    scheduler = wanted.scheduler
    needed = dict(scheduler.artifacts())
    if isinstance(scheduler, Carries):
        needed |= {f"{host}/{each.name}": each for host, each in scheduler.carried().items()}
    path = lockfile.find(inventory.base)
    pinned = lockfile.read(path) if needed else ()
    where = inventory.base / lockfile.FILE_NAME  # also when there is none: it is the one to write
    locked = {
        host: lockfile.choose(pinned, each.name, each.arch, each.version or None, where=where)
        for host, each in needed.items()
    }
    for host, each in needed.items():
        _check_age(locked[host], each.oldest)
    renewed = scheduler.renewable() if rotate and isinstance(scheduler, Renews) else ()
    remembered = scheduler.remembered() if isinstance(scheduler, Remembers) else ()
    return Install(
        wanted=wanted,
        locked=locked,
        playbook=_playbook(scheduler.playbook(), playbook.parent),
        secrets=kept.load(inventory.base / "pki", scheduler.secrets(), renewed, remembered),
        rotate=rotate,
        renewed=renewed,
        issued=scheduler.issued() if rotate and isinstance(scheduler, Issues) else (),
    )


def _check_age(pinned: Locked, oldest: tuple[int, ...]) -> None:
    if tuple(map(int, re.findall(r"\d+", pinned.version)))[: len(oldest)] < oldest:
        raise InputError(
            f"{pinned.name} {pinned.version} is too old",
            where=pinned.position,
            why=f"coreops knows {pinned.name} from {'.'.join(map(str, oldest))} on",
            next="pin a newer one",
        )


def _playbook(name: str, beside: Path) -> Path | None:
    """The operator's own copy beside their copy of bootstrap.yml, else the shipped one."""
    if not name:
        return None
    file = name if name.endswith((".yml", ".yaml")) else f"{name}.yml"
    own = beside / file
    return own if own.exists() else shipped(file)
