"""The provider of machines that coreops does not make: bare metal, and whatever was made by hand. Makes no call.

They carry no mark of ours, so nothing is ever found, switched or destroyed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coreops.errors import CoreopsError, RefusedError
from coreops.providers.protocol import Change, Machine, Power, Wanted
from coreops.providers.registry import STATIC, Opening

WHY = "coreops does not make it: `provider: static`, or none is named"
NEXT = "`coreops serve-config` and `coreops render --as iso` boot such machines"


class Static:
    """Every wanted node is kept. Providers open no SSH connection: ``coreops plan`` asks whether they are there."""

    name = STATIC

    def plan(self, wanted: Sequence[Wanted], found: Sequence[Machine]) -> tuple[Change, ...]:
        return tuple(Change(each.node, "keep", WHY) for each in wanted)

    def create(self, wanted: Wanted) -> Machine:
        raise RefusedError("this machine is not coreops's to make", where=wanted.where, why=WHY, next=NEXT)

    def observe(self, cluster: str) -> tuple[Machine, ...]:
        return ()

    def host_keys(self, machine: Machine) -> tuple[str, ...]:
        return ()

    def console(self, machine: Machine) -> Iterator[bytes]:
        raise _not_ours(machine, "it has no console that coreops could read")

    def power(self, machine: Machine, power: Power) -> None:
        raise _not_ours(machine, "it has no switch that coreops could use")

    def destroy(self, machine: Machine) -> None:
        raise _not_ours(machine, "it does not carry coreops's mark")


def _not_ours(machine: Machine, why: str) -> CoreopsError:
    return RefusedError("this machine is not coreops's", where=machine.node, why=why)


def connect(opening: Opening) -> Static:
    """Open it; there is nothing to reach."""
    return Static()
