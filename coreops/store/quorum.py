"""The quorum rules of etcd, as pure functions over sets of voters. Knows no member names, no hosts, no I/O.

Voters are members that count towards quorum; a learner is not one. *healthy* are the voters known to serve right now:
an unknown state counts as unhealthy.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from coreops.errors import InputError, counted

V = TypeVar("V")

SIZES = (1, 3, 5, 7)


def quorum(voters: int) -> int:
    """How many voters must agree."""
    return voters // 2 + 1


def tolerance(voters: int) -> int:
    """How many voters may fail while the cluster keeps working."""
    return max(0, (voters - 1) // 2)


def check_size(size: int, *, where: object = None) -> None:
    """Raise InputError unless a cluster of ``size`` members is sensible."""
    if size in SIZES:
        return
    if size < 1:
        why = "there is no member"
    elif size % 2 == 0:
        why = (
            f"{size} members need {quorum(size)} for quorum and survive {counted(tolerance(size), 'failure')}, "
            f"exactly as {size - 1} would, with one more machine that can fail"
        )
    else:
        why = f"every write waits for {quorum(size)} of {size} members; more than 7 only makes etcd slower"
    smaller = [n for n in SIZES if n < size]
    larger = [n for n in SIZES if n > size]
    choices = " or ".join(str(n) for n in [*smaller[-1:], *larger[:1]])
    raise InputError(f"a store of {size} members is refused", where=where, why=why, next=f"use {choices} members")


def has_quorum(voters: Collection[V], healthy: Collection[V]) -> bool:
    """Do the healthy voters form a quorum?"""
    return len(set(healthy) & set(voters)) >= quorum(len(set(voters)))


def may_stop(voters: Collection[V], healthy: Collection[V], member: V) -> bool:
    """May this voter be stopped (restarted, rebooted) without costing the cluster its quorum?

    One that is down already costs nothing. The only member of a cluster of one may be stopped: there is no other way.
    """
    if member not in set(healthy) or set(voters) == {member}:
        return True
    return has_quorum(voters, set(healthy) - {member})


def may_remove(voters: Collection[V], healthy: Collection[V], member: V) -> bool:
    """May this voter be removed from the member list? Needs quorum before and after; the last one never goes."""
    rest = set(voters) - {member}
    return bool(rest) and has_quorum(voters, healthy) and has_quorum(rest, set(healthy) & rest)


def may_add(voters: Collection[V], healthy: Collection[V]) -> bool:
    """Will etcd accept a new member? Its strict reconfiguration check wants every voter connected."""
    return bool(voters) and set(voters) <= set(healthy)


def restart_order(voters: Collection[V], healthy: Collection[V], leader: V | None) -> tuple[V, ...]:
    """The order for a rolling change: those that are down first (they cost nothing), the leader last."""
    up = set(healthy)
    return tuple(sorted(voters, key=lambda v: (v == leader, v in up)))
