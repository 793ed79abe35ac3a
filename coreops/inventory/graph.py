"""The graph of groups: depth, parents, ancestors, walking order, cycles. Pure; knows names only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from coreops.errors import InputError
from coreops.model import Position

Children = Mapping[str, Mapping[str, Position]]


def depths(children: Children) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Return each group's longest distance from a root, and its parents. Raises InputError for a cycle."""
    parents: dict[str, list[str]] = {name: [] for name in children}
    for name, below in children.items():
        for child in below:
            parents[child].append(name)
    waiting = {name: len(above) for name, above in parents.items()}
    ready = [name for name, count in waiting.items() if count == 0]
    depth = dict.fromkeys(children, 0)
    done = 0
    while ready:
        name = ready.pop()
        done += 1
        for child in children[name]:
            depth[child] = max(depth[child], depth[name] + 1)
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    if done < len(children):
        raise _cycle(children, {name for name, count in waiting.items() if count})
    return depth, parents


def ancestors(names: Iterable[str], parents: Mapping[str, Sequence[str]]) -> set[str]:
    """Return ``names`` and everything above them."""
    found = set(names)
    unseen = list(found)
    while unseen:
        for parent in parents[unseen.pop()]:
            if parent not in found:
                found.add(parent)
                unseen.append(parent)
    return found


def walk(name: str, children: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a group and everything below it once, level by level, in the order written."""
    seen = {name}
    level = [name]
    while level:
        yield from level
        below = [child for parent in level for child in children[parent] if child not in seen]
        level = list(dict.fromkeys(below))
        seen.update(level)


def _cycle(children: Children, stuck: set[str]) -> InputError:
    """Name one cycle among ``stuck``, which all lie on a cycle or below one."""
    above = {child: name for name in stuck for child in children[name] if child in stuck}
    name = min(stuck)
    seen: list[str] = []
    while name not in seen:
        seen.append(name)
        name = above[name]
    loop = [*reversed(seen[seen.index(name) :])]
    # the edge written last is the one to look at: it closed the circle
    edges = [(children[name][loop[(i + 1) % len(loop)]], i) for i, name in enumerate(loop)]
    closing, last = max(edges, key=lambda edge: (edge[0].line, edge[0].column))
    loop = [*loop[last + 1 :], *loop[: last + 1]]
    return InputError(
        f"group {loop[0]!r} contains itself",
        where=closing,
        why=" > ".join([*loop, loop[0]]),
        next="remove one of these children",
    )
