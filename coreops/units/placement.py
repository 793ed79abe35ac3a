"""Which unit runs where. Pure and deterministic: wishes, machines and what is placed now go in, places come out.

The rules are fleet's: a unit goes to the machine with the fewest units that may run it, the lowest machine id among
equals. What is placed stays where it may stay; nothing is rebalanced. Unlike fleet, which took units in random order,
those with the fewest machines to choose from come first, so that a unit that fits anywhere does not take their place.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from coreops.errors import RefusedError, counted
from coreops.units import glob
from coreops.units.names import natural

_EXPLAINED = 50
"""So many units that cannot be placed get their nearest machines named; with more, nobody reads on."""
_NEAREST = 3
_CLOSED = "closed (cordoned, drained or not there)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one unit asks for, as its ``[X-Fleet]`` says. takes: what a machine has once, like a published port."""

    name: str
    machine_id: str = ""
    machine_of: tuple[str, ...] = ()
    metadata: Mapping[str, frozenset[str]] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    takes: frozenset[str] = frozenset()
    everywhere: bool = False

    @property
    def patterns(self) -> tuple[str, ...]:
        """Whom it does not stand beside."""
        return self.conflicts + self.replaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """name: of the host. id: of the machine. open: takes new units. keeps: what is there may stay. by_name: a MachineID
    may be the host's name.
    """

    name: str
    id: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    open: bool = True
    keeps: bool = True
    by_name: bool = True

    def is_called(self, wanted: str) -> bool:
        """The whole id, its first eight characters (as fleet's list shows it), or the host's name."""
        return wanted in (self.id, self.id[:8]) or (self.by_name and wanted == self.name)


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A unit with nowhere to go. closest: machines that lack least, each with what is in the way there."""

    name: str
    why: str
    closest: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        near = "; ".join(f"{machine}: {', '.join(reasons)}" for machine, reasons in self.closest)
        return f"{self.name}: {self.why}" + (f" (closest: {near})" if near else "")


@dataclass(frozen=True, slots=True)
class Placement:
    """on: unit -> machines, in order; more than one for a global unit only. moved: which of them changed."""

    on: Mapping[str, tuple[str, ...]]
    unplaced: tuple[Unplaced, ...] = ()
    moved: tuple[str, ...] = ()


def place(
    wishes: Iterable[Wish], machines: Iterable[Machine], now: Mapping[str, Sequence[str]] | None = None
) -> Placement:
    """Decide for all units. now: unit -> the machines it is placed on."""
    board = _Board(sorted(machines, key=lambda machine: (machine.id, machine.name)), list(wishes))
    placed = {name: tuple(board.index[m] for m in on if m in board.index) for name, on in (now or {}).items()}
    singles = _ordered([wish for wish in board.wishes.values() if not wish.everywhere], board)
    globals_ = sorted((w for w in board.wishes.values() if w.everywhere), key=lambda w: natural(w.name))

    # A unit that takes another one's place does so before that one is kept.
    before = board.load(placed)
    for wish in singles:
        if wish.replaces and not wish.machine_of and not board.keep(wish, placed):
            board.settle(wish, load=before)
    for wish in (*singles, *globals_):
        if wish.name not in board.places:
            board.keep(wish, placed)
    for wish in globals_:
        board.spread(wish)
    waiting = [wish for wish in singles if wish.name not in board.places]
    failed = [wish for wish in waiting if not board.settle(wish)]
    on = {
        name: tuple(board.machines[i].name for i in sorted(board.places.get(name, ())))
        for name in sorted(board.wishes, key=natural)
    }
    moved = tuple(name for name in on if set(on[name]) != set((now or {}).get(name, ())))
    unplaced = [board.explain(wish, short=n >= _EXPLAINED) for n, wish in enumerate(failed)]
    unplaced += [board.explain(wish, short=False) for wish in globals_ if not on[wish.name]]
    return Placement(on, tuple(unplaced), moved)


def beside(wanted: Iterable[Wish], others: Mapping[str, Wish]) -> dict[str, Wish]:
    """These units, those of the others that they must be beside (MachineOf), and so on."""
    found: dict[str, Wish] = {}
    left = list(wanted)
    while left:
        wish = left.pop()
        if wish.name not in found:
            found[wish.name] = wish
            left += [others[peer] for peer in wish.machine_of if peer in others]
    return found


def refusal(unplaced: Sequence[Unplaced]) -> RefusedError:
    """What a scheduler says that writes nothing when a unit could be placed nowhere."""
    more = f", nor can {len(unplaced) - 1} more" if len(unplaced) > 1 else ""
    return RefusedError(
        f"{unplaced[0].name} cannot be placed{more}",
        why="\n       ".join(str(each) for each in unplaced[:5]),
        next="nothing was changed: change [X-Fleet], or the nodes (coreops nodes), and try again",
    )


class _Board:
    """The machines, numbered by their id, and what stands on them so far."""

    def __init__(self, machines: Sequence[Machine], wishes: Sequence[Wish]) -> None:
        self.machines = machines
        self.index = {machine.name: i for i, machine in enumerate(machines)}
        self.wishes = {wish.name: wish for wish in wishes}
        self.places: dict[str, set[int]] = {}
        self._on: list[list[str]] = [[] for _ in machines]
        self._fits: dict[object, frozenset[int]] = {}
        self._heaps: dict[object, list[tuple[int, int]]] = {}
        # For each pattern that any unit has: where units stand that it names, and where units stand that have it.
        self._named: dict[str, set[int]] = {p: set() for wish in wishes for p in wish.patterns}
        self._carried: dict[str, set[int]] = {pattern: set() for pattern in self._named}
        self._took: dict[str, set[int]] = {}
        self._by_start: dict[str, list[str]] = {}
        for pattern in self._named:
            self._by_start.setdefault(glob.literal(pattern), []).append(pattern)
        self._starts = sorted({len(start) for start in self._by_start})

    def load(self, placed: Mapping[str, Sequence[int]]) -> list[int]:
        """How many units stand on each machine before anything is decided."""
        count = [0] * len(self.machines)
        for name, on in placed.items():
            for i in on if name in self.wishes else ():
                count[i] += 1
        return count

    def fits(self, wish: Wish) -> frozenset[int]:
        """The machines that have the id and the metadata."""
        key = (wish.machine_id, frozenset(wish.metadata.items()))
        if key not in self._fits:
            self._fits[key] = frozenset(i for i, machine in enumerate(self.machines) if not _lacks(wish, machine))
        return self._fits[key]

    def keep(self, wish: Wish, placed: Mapping[str, Sequence[int]]) -> bool:
        """Leave it where it is, if it may stay."""
        stays = [i for i in placed.get(wish.name, ()) if self.machines[i].keeps and i in self.fits(wish)]
        if stays and wish.machine_of:
            beside = self._beside(wish)
            stays = [i for i in stays if i in beside]
        if stays:
            taken = self._taken(wish)
            for i in stays if wish.everywhere else stays[:1]:
                if i not in taken:
                    self._put(wish, i)
        return wish.name in self.places

    def spread(self, wish: Wish) -> None:
        """Put a global unit on every machine that may have it."""
        taken = self._taken(wish)
        for i in sorted(self.fits(wish)):
            if self.machines[i].open and i not in taken and i not in self.places.get(wish.name, ()):
                self._put(wish, i)

    def settle(self, wish: Wish, load: Sequence[int] | None = None) -> bool:
        """Put a unit on the best machine, if there is one. load: what to count instead of what stands there."""
        taken = self._taken(wish)
        if wish.machine_of or load is not None:
            able = self.fits(wish) if not wish.machine_of else self.fits(wish) & self._beside(wish)
            count = load or [len(names) for names in self._on]
            best = min(((count[i], i) for i in able if self.machines[i].open and i not in taken), default=(0, -1))[1]
        else:
            best = self._lightest(wish, taken)
        if best >= 0:
            self._put(wish, best)
        return best >= 0

    def explain(self, wish: Wish, *, short: bool) -> Unplaced:
        """Say what is in the way, everywhere."""
        if not self.machines:
            return Unplaced(wish.name, "there are no machines")
        missing = [peer for peer in wish.machine_of if peer not in self.wishes]
        if missing:
            return Unplaced(wish.name, f"MachineOf={missing[0]}, and no unit of this name is to run")
        if wish.name in (circle := beside([self.wishes[peer] for peer in wish.machine_of], self.wishes)):
            return Unplaced(wish.name, f"MachineOf goes in a circle: {', '.join(sorted(circle, key=natural))}")
        unplaced = [peer for peer in wish.machine_of if not self.places.get(peer)]
        if unplaced:
            return Unplaced(wish.name, f"MachineOf={unplaced[0]}, which is not placed itself")
        if short:
            return Unplaced(wish.name, "no machine may run it")
        found = sorted(
            ((reasons, i) for i in range(len(self.machines)) if (reasons := self._reasons(wish, i))),
            key=lambda each: (len(each[0]), each[0] != (_CLOSED,), each[1]),
        )
        tally: dict[str, int] = {}
        for reasons, _ in found:
            for kind in dict.fromkeys(reason.partition(" ")[0] for reason in reasons):
                tally[kind] = tally.get(kind, 0) + 1
        whole = ", ".join(f"{kind} on {number}" for kind, number in sorted(tally.items(), key=lambda t: (-t[1], t[0])))
        closest = tuple((self.machines[i].name, reasons) for reasons, i in found[:_NEAREST])
        return Unplaced(wish.name, f"none of {counted(len(self.machines), 'machine')} may run it: {whole}", closest)

    def _reasons(self, wish: Wish, i: int) -> tuple[str, ...]:
        machine = self.machines[i]
        found = _lacks(wish, machine)
        if not machine.open:
            found.append(_CLOSED)
        for peer in wish.machine_of:
            if i not in self.places.get(peer, ()):
                found.append(f"MachineOf {peer} is elsewhere")
        for other in self._on[i]:
            if any(glob.matches(p, other) for p in wish.patterns):
                found.append(f"Conflicts with {other}")
            elif any(glob.matches(p, wish.name) for p in self.wishes[other].patterns):
                found.append(f"Conflicts of {other}")
            elif both := wish.takes & self.wishes[other].takes:
                found.append(f"{min(both)} is taken by {other}")
        return tuple(found)

    def _beside(self, wish: Wish) -> set[int]:
        """The machines that have all of the units it must be with."""
        return set.intersection(*(self.places.get(peer, set()) for peer in wish.machine_of))

    def _taken(self, wish: Wish) -> set[int]:
        """The machines that a conflict, either way, closes to it, or what is taken there."""
        sets = [self._named[pattern] for pattern in wish.patterns]
        sets += [self._carried[pattern] for pattern in self._naming(wish.name)]
        sets += [self._took[thing] for thing in wish.takes if thing in self._took]
        return set().union(*sets) if sets else set()

    def _naming(self, name: str) -> list[str]:
        """All patterns that name this unit."""
        return [
            pattern
            for length in self._starts
            for pattern in self._by_start.get(name[:length], ())
            if glob.matches(pattern, name)
        ]

    def _put(self, wish: Wish, i: int) -> None:
        self.places.setdefault(wish.name, set()).add(i)
        self._on[i].append(wish.name)
        for pattern in self._naming(wish.name):
            self._named[pattern].add(i)
        for pattern in wish.patterns:
            self._carried[pattern].add(i)
        for thing in wish.takes:
            self._took.setdefault(thing, set()).add(i)

    def _lightest(self, wish: Wish, taken: set[int]) -> int:
        """The open machine with the fewest units. Loads only grow: what a heap says too low is put right on the way."""
        fits = self.fits(wish)
        heap = self._heaps.get(fits)
        if heap is None:
            heap = [(len(self._on[i]), i) for i in fits if self.machines[i].open]
            heapq.heapify(heap)
            self._heaps[fits] = heap
        aside: list[tuple[int, int]] = []
        best = -1
        while heap and best < 0:
            count, i = heap[0]
            if count != len(self._on[i]):
                heapq.heapreplace(heap, (len(self._on[i]), i))
            elif i in taken:
                aside.append(heapq.heappop(heap))
            else:
                best = i
        for entry in aside:
            heapq.heappush(heap, entry)
        return best


def _lacks(wish: Wish, machine: Machine) -> list[str]:
    """What of id and metadata a machine has not."""
    found = []
    if wish.machine_id and not machine.is_called(wish.machine_id):
        found.append(f"MachineID is not {wish.machine_id}")
    for key, wanted in wish.metadata.items():
        has = machine.metadata.get(key)
        if has not in wanted:
            words = " or ".join(sorted(wanted))
            found.append(f"MachineMetadata {key}={words} wanted, " + (f"it has {key}={has}" if has else "it has none"))
    return found


def _ordered(wishes: Sequence[Wish], board: _Board) -> list[Wish]:
    """Those with the fewest machines first, then by name; a unit after those it must be beside."""
    first = sorted(wishes, key=lambda wish: (len(board.fits(wish)), natural(wish.name)))
    known = {wish.name: wish for wish in first}
    done: dict[str, Wish] = {}
    for wish in first:
        chain = [wish]
        while chain:
            last = chain[-1]
            open_ = [p for p in last.machine_of if p in known and p not in done and known[p] not in chain]
            if open_:
                chain.append(known[open_[0]])
            else:
                done.setdefault(last.name, last)
                chain.pop()
    return list(done.values())
