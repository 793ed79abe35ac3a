"""The adapters by name. Imports one only when an inventory asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from coreops.schedulers.protocol import Cluster, Scheduler

NONE: Final = "none"

PREFIXES: Final[dict[str, tuple[str, ...]]] = {
    "fleet": ("fleet_",),
    "k3s": ("k3s_",),
    "nomad": ("nomad_",),
    "swarm": ("swarm_", "docker_"),
    "units": ("units_",),
}
"""Scheduler -> what the names of its variables begin with; all other variables are none of its business. One line for
each adapter that works; its package is ``coreops.schedulers.NAME`` unless ``PACKAGES`` says otherwise."""

PACKAGES: Final[dict[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Adapter:
    """make: raises InputError for what can be seen without a node. variables: name -> reader, raising ValueError."""

    name: str
    prefixes: tuple[str, ...]
    make: Callable[[Cluster], Scheduler]
    variables: Mapping[str, Callable[[object], Any]]


def names() -> tuple[str, ...]:
    """What ``scheduler`` may be in an inventory."""
    return (*PREFIXES, NONE)


def adapter(name: str) -> Adapter:
    """Raises KeyError for a name that is not in ``names``, and for ``none``."""
    prefixes = PREFIXES[name]
    package = import_module(PACKAGES.get(name, f"coreops.schedulers.{name}"))
    return Adapter(name, prefixes, package.make, package.VARIABLES)
