"""How machines stand that coreops does not make: there, not to be reached, or not one of a kind. Pure: answers in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from coreops.errors import CoreopsError, UnreachableError
from coreops.identity.identity import Identity
from coreops.identity.twins import Seen, Twin, twins
from coreops.providers.protocol import Change, Wanted

Answer = Identity | CoreopsError
_SHOWN: Final = 12
"""Digits of a machine-id, and enough to tell machines apart."""


def standing(
    wanted: Sequence[Wanted], answers: Mapping[str, Answer], claims: Mapping[str, frozenset[str]]
) -> tuple[Change, ...]:
    """Return how each wanted machine stands. claims: by node, the addresses that the inventory says it has."""
    seen = [
        Seen(each.node, answer, each.where, claims.get(each.node, frozenset()))
        for each in wanted
        if isinstance(answer := answers[each.node], Identity)
    ]
    pairs = twins(seen)
    return tuple(_change(each.node, answers[each.node], _of(pairs, each.node)) for each in wanted)


def _of(pairs: Sequence[Twin], node: str) -> list[Twin]:
    return [twin for twin in pairs if node in (twin.first.host, twin.second.host)]


def _change(node: str, answer: Answer, same: Sequence[Twin]) -> Change:
    if isinstance(answer, UnreachableError):
        return Change(node, "unreachable", _said(answer))
    if isinstance(answer, CoreopsError):
        return Change(node, "reachable", _said(answer))
    if same:
        return Change(node, "duplicate", "; ".join(f"{twin.what}: {twin.why}; {twin.advice}" for twin in same))
    told = (answer.version, f"machine-id {answer.machine_id[:_SHOWN]}", *answer.addresses)
    return Change(node, "reachable", ", ".join(each for each in told if each))


def _said(error: CoreopsError) -> str:
    return f"{error.what}: {error.why}" if error.why else error.what
