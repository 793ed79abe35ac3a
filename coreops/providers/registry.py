"""Which providers there are, as data, and how one is opened. Imports a provider only when it is used.

A provider's module has a function ``connect(opening: Opening) -> Provider``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.events import Emit
from coreops.model import Position
from coreops.providers.protocol import Finder, Provider


@dataclass(frozen=True, slots=True)
class Record:
    """One provider. platform, target: of the user-data its machines take, where the inventory does not say.

    splits: variables that make nodes belong to different openings of it.
    """

    name: str
    module: str
    platform: str | None = None
    target: str = "coreos"
    splits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """What a provider is told when it is opened.

    base: the inventory's folder, which relative paths belong to. settings: by node, the provider's own variables; of
    all its nodes, so that ``observe`` knows where to look. where: the line that names the provider.
    """

    cluster: str
    base: Path
    settings: Mapping[str, Mapping[str, Any]]
    where: Position
    emit: Emit = field(default=lambda event: None)


STATIC = "static"
PROVIDERS: dict[str, Record] = {
    STATIC: Record(STATIC, "coreops.providers.static"),
    "command": Record("command", "coreops.providers.command", splits=("command_program",)),
    "ec2": Record("ec2", "coreops.providers.ec2", platform="ec2"),
    "qemu": Record("qemu", "coreops.providers.qemu.provider", platform="qemu", target="cloud-init"),
}


def find(name: object, where: Position) -> Record:
    """Return a provider's record. Raises InputError."""
    if not isinstance(name, str) or name not in PROVIDERS:
        raise InputError(
            f"there is no provider {name!r}",
            where=where,
            why=f"providers: {', '.join(PROVIDERS)}",
            next=did_you_mean(str(name), PROVIDERS) or "`provider: command` runs a program of your own",
        )
    return PROVIDERS[name]


def connect(record: Record, opening: Opening) -> Provider:
    """Open a provider. Raises CoreopsError when it cannot work as it is set up."""
    make: Callable[[Opening], Provider] = import_module(record.module).connect
    return make(opening)


def finder(record: Record, opening: Opening) -> Finder:
    """Open a provider that finds machines by tags, whoever made them. Raises InputError when it does not."""
    provider = connect(record, opening)
    if not isinstance(provider, Finder):
        raise InputError(
            f"provider {record.name} cannot find machines by tags",
            where=opening.where,
            next="say cluster: machines with coreops's mark are found",
        )
    return provider
