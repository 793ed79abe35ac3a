"""Places in memory for tests: one or several, each with a lock and rising marks; any of them may be made to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from coreops.errors import CoreopsError, UnreachableError
from coreops.upgrade.ledger import format
from coreops.upgrade.ledger.book import Book
from coreops.upgrade.ledger.holder import Holder
from coreops.upgrade.ledger.places import Cell, Seen, Swap, Swapped


class Memory:
    """``Places``. A key stands at all ``names``. down: names that do not answer. silent: sessions given up for dead."""

    def __init__(self, *names: str) -> None:
        self.names = names or ("memory",)
        self.cells: dict[str, dict[str, Cell]] = {name: {} for name in self.names}
        self.beats: set[str] = set()
        self.down: set[str] = set()
        self.lose: Callable[[Swap], bool] = lambda swap: False
        """Which swaps are done, but their answer is lost."""
        self._marks = dict.fromkeys(self.names, 0)
        self._lock = threading.Lock()

    def of(self, key: str) -> tuple[str, ...]:
        return self.names

    def swap(self, wishes: Sequence[tuple[str, Swap]]) -> Sequence[Swapped | CoreopsError]:
        return [self._swap(place, swap) for place, swap in wishes]

    def read(self, folder: str) -> Mapping[str, Seen | CoreopsError]:
        with self._lock:
            return {
                name: _gone(name)
                if name in self.down
                else Seen(
                    {key: cell for key, cell in cells.items() if key.startswith(f"{folder}/")}, frozenset(self.beats)
                )
                for name, cells in self.cells.items()
            }

    def beat(self, run: str, session: str) -> None:
        self.beats.add(session)

    def quiet(self) -> None:
        """Tests take a session out of ``beats`` themselves."""

    def _swap(self, place: str, swap: Swap) -> Swapped | CoreopsError:
        if place in self.down:
            return _gone(place)
        with self._lock:
            cells = self.cells[place]
            stands = cells.get(swap.key)
            if (stands.mark if stands else 0) != swap.seen:
                return Swapped(False, stands)
            self._marks[place] += 1
            mark = self._marks[place]
            cell = None if swap.value is None else Cell(swap.value, mark)
            cells.pop(swap.key, None)
            if cell is not None:
                cells[swap.key] = cell
            if swap.note is not None:
                cells[swap.note[0]] = Cell(swap.note[1], mark)
        return _gone(place) if self.lose(swap) else Swapped(True, cell)


def holder(run: str, owner: str = "ci@ci-4") -> Holder:
    """Another controller than any other call's."""
    here = Holder.here(run)
    return Holder(run, owner, 4711, "", here.session)


def memory_ledger(run: str = "run-1", places: Memory | None = None) -> Book:
    """A ledger in memory; ledgers over the same ``places`` are several controllers of one cluster."""
    return Book(places or Memory(), holder(run))


def lease_key(node: str) -> str:
    return format.key(format.LEASES, node)


def _gone(place: str) -> UnreachableError:
    return UnreachableError("lost", "no answer", where=place)
