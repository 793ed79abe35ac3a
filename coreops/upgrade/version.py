"""Versions of the operating system: their order, and the hops that lead from one to another. Pure.

The order is Semantic Versioning's (2.0.0, section 11), for any number of leading numbers: CoreOS has ``3510.2.0``,
others have ``24.04`` or ``38.20230514.3.0``. Build metadata (``+…``) does not count.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from coreops.errors import InputError, RefusedError
from coreops.upgrade.release import Release

_WORD = r"[0-9A-Za-z-]+"
_VERSION = re.compile(rf"([0-9]+(?:\.[0-9]+)*)(?:-({_WORD}(?:\.{_WORD})*))?(?:\+{_WORD}(?:\.{_WORD})*)?", re.ASCII)
_LONGEST = 100


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Compares by precedence. numbers: without zeros at the end, so that 1.0 is 1.0.0. pre: a release sorts last."""

    numbers: tuple[int, ...]
    pre: tuple[tuple[int, int, str], ...]
    text: str = field(compare=False)

    def __str__(self) -> str:
        return self.text


_RELEASED = ((2, 0, ""),)


def parse(text: str, where: object = None) -> Version:
    """Read a version. Raises InputError."""
    match = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise InputError(
            f"{text[:_LONGEST]!r} is not a version", where=where, next="write it like 1.2.0, 1.2.0-beta.1 or 3510.2.0"
        )
    numbers = [int(number) for number in match[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    pre = tuple(_identifier(word) for word in match[2].split(".")) if match[2] else _RELEASED
    return Version(tuple(numbers), pre, text)


def _identifier(word: str) -> tuple[int, int, str]:
    return (0, int(word), "") if word.isdecimal() else (1, 0, word)


def compare(one: str, other: str) -> int:
    """-1, 0 or 1: older, the same, newer."""
    a, b = parse(one), parse(other)
    return (a > b) - (a < b)


def route(
    current: str, target: Release, releases: Iterable[Release], *, allow_downgrade: bool = False
) -> tuple[Release, ...]:
    """The releases that a node with ``current`` has to take one by one, ``target`` the last; () when it is there.

    Give all releases: one that is left out is a barrier that nobody sees. Of the shortest ways the one over the newest
    releases. A downgrade is one hop. Raises RefusedError when no way leads there.
    """
    if current == target.version:
        return ()
    ours = [release for release in releases if release.board == target.board]
    stuck = next((release.deadend for release in ours if release.version == current and release.deadend), "")
    if stuck:
        raise RefusedError(
            f"{current} is a dead end: nothing leads away from it",
            why=stuck,
            next="install the node anew with a release that is not a dead end",
        )
    start, goal = parse(current), parse(target.version)
    if goal < start:
        if not allow_downgrade:
            raise RefusedError(
                f"{target.version} is older than {current}",
                why="a downgrade may lose data that the newer release has converted",
                next="pass --allow-downgrade if that is what you want",
            )
        return (target,)
    between = [one for one in ours if one.version != target.version and start < parse(one.version) < goal]
    steps = sorted((*between, target), key=lambda one: parse(one.version))
    return _shortest(start, target, steps)


def _shortest(start: Version, target: Release, steps: Sequence[Release]) -> tuple[Release, ...]:
    """Breadth first over ``steps`` (ascending, ``target`` the last)."""
    before: dict[int, int] = {}
    waiting = deque([-1])
    while waiting:
        at = waiting.popleft()
        if at == len(steps) - 1:
            way = []
            while at >= 0:
                way.append(steps[at])
                at = before[at]
            return tuple(reversed(way))
        if at >= 0 and steps[at].deadend:
            continue
        version = parse(steps[at].version) if at >= 0 else start
        for to in reversed(range(at + 1, _first_barrier(steps, at + 1) + 1)):
            enough = not steps[to].min_from or parse(steps[to].min_from) <= version
            if to not in before and enough:
                before[to] = at
                waiting.append(to)
    raise _no_way(start, target, steps, before)


def _first_barrier(steps: Sequence[Release], first: int) -> int:
    return next((index for index in range(first, len(steps)) if steps[index].barrier), len(steps) - 1)


def _no_way(start: Version, target: Release, steps: Sequence[Release], reached: dict[int, int]) -> RefusedError:
    missed = min(index for index in range(len(steps)) if index not in reached and _matters(steps, index))
    step = steps[missed]
    ends = [steps[index] for index in reached if steps[index].deadend]
    reason = f"{step.version} takes only nodes with {step.min_from} or newer" if step.min_from else ""
    if ends and not reason:
        reason = f"{ends[-1].version} is a dead end: {ends[-1].deadend}"
    return RefusedError(
        f"no way leads from {start} to {target.version} ({target.board})",
        why=reason,
        next="publish a release in between, or upgrade to another release first",
    )


def _matters(steps: Sequence[Release], index: int) -> bool:
    return steps[index].barrier or index == len(steps) - 1
