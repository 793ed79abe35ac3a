"""The rules of the ledger, over any places: who gets a lease, when one may be taken over, what counts as lost.

Knows no etcd and no nodes. A key that must stand at many places is held by whoever has it at most of them; the first
place in order is asked alone, so that of several who want it at once one gets it and not each a part.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from coreops.errors import CoreopsError, InputError, UnreachableError, did_you_mean
from coreops.upgrade.ledger import format
from coreops.upgrade.ledger.holder import Holder
from coreops.upgrade.ledger.places import Cell, Places, Seen, Swap, Swapped
from coreops.upgrade.ledger.protocol import FORMAT, AuditRecord, Busy, Denial, Lease

_TRIES = 8
"""How often to look again at a key that changes under our hands, before that is called an error."""


@dataclass(slots=True)
class _Mine:
    """A lease of ours: as we last wrote it, and the mark it has at each place."""

    lease: Lease
    marks: dict[str, int] = field(default_factory=dict)


class Book:
    """A ``Ledger`` for one controller process."""

    def __init__(self, places: Places, holder: Holder, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._places = places
        self._holder = holder
        self._now = now
        self._mine: dict[str, _Mine] = {}
        self._beaten = False
        self._notes = 0
        self._lock = threading.RLock()
        self.unread: Mapping[str, CoreopsError] = {}
        """The places that did not answer the last reading."""
        self.unheard: frozenset[str] = frozenset()
        """The places that did not answer the last ``renew``, when none did."""

    def acquire(self, node: str, *, reason: str, boot_id: str = "", takes_over: frozenset[str] = frozenset()) -> Lease:
        key = format.key(format.LEASES, node)
        with self._lock:
            if not self._beaten:
                self._places.beat(self._holder.run, self._holder.session)
                self._beaten = True
            wish = self._lease(node, reason, boot_id)
            waiting, mine = list(self._places.of(key)), _Mine(wish)
            errors: list[CoreopsError] = []
            tokens: list[Lease] = []
            while waiting:
                batch = waiting if mine.marks else waiting[:1]
                waiting = waiting[len(batch) :]
                for place, outcome in self._take(key, wish, batch, takes_over).items():
                    if isinstance(outcome, CoreopsError):
                        errors.append(outcome)
                    else:
                        tokens.append(outcome[0])
                        mine.marks[place] = outcome[1]
                busy = next((error for error in errors if isinstance(error, Busy)), None)
                if busy:
                    self._give_back(key, mine)
                    raise busy
            if not _most(len(mine.marks), len(self._places.of(key))):
                self._give_back(key, mine)
                raise errors[0]
            # What we wrote before an answer was lost is the truth; of many places the highest token counts.
            mine.lease = max(tokens, key=lambda lease: lease.token)
            self._mine[node] = mine
            return mine.lease

    def renew(self) -> tuple[Lease, ...]:
        with self._lock:
            self._places.beat(self._holder.run, self._holder.session)
            self._beaten = True
            return self._update({node: mine.lease for node, mine in self._mine.items()})

    def note(self, node: str, phase: str) -> None:
        with self._lock:
            mine = self._mine.get(node)
            if mine is not None:
                mine.lease = replace(mine.lease, phase=phase)
                try:
                    lost = self._update({node: mine.lease})
                except UnreachableError:
                    return  # a node without etcd that reboots; renew writes it, and says what is lost
                self._mine |= {lease.node: mine for lease in lost}

    def release(self, node: str) -> None:
        with self._lock:
            mine = self._mine.get(node)
            if mine is not None:
                self._give_back(format.key(format.LEASES, node), mine, must=True)
                self._mine.pop(node, None)

    def close(self) -> None:
        with self._lock:
            if self._beaten:
                self._beaten = False
                self._places.quiet()

    def held(self) -> tuple[Lease, ...]:
        with self._lock:
            found: dict[tuple[str, str], Lease] = {}
            for seen in self._read(format.LEASES).values():
                for key, cell in seen.cells.items():
                    lease = self._seen(key, cell, seen)
                    known = found.get((lease.node, lease.session))
                    if known is None or (lease.renewed, lease.token) > (known.renewed, known.token):
                        found[lease.node, lease.session] = lease
            return tuple(found[each] for each in sorted(found))

    def force_release(self, node: str, reason: str) -> AuditRecord:
        held = [lease for lease in self.held() if lease.node == node]
        if not held:
            others = sorted({lease.node for lease in self.held()})
            raise InputError(
                f"nobody holds the lease of {node!r}",
                next=did_you_mean(node, others) or (f"held: {', '.join(others)}" if others else None),
            )
        had = format.dump_lease(held[0])
        return self._take_away(format.LEASES, node, "force-release", reason, had)

    def deny(self, version: str, node: str, reason: str) -> None:
        holder, at = self._holder, format.utc(self._now())
        denial = Denial(version=version, node=node, reason=reason, by=holder.owner, run=holder.run, at=at)
        record = AuditRecord(what="deny", subject=version, by=holder.owner, run=holder.run, at=at, reason=reason)
        key = format.key(format.DENIED, version)
        with self._lock:
            swap = Swap(key, 0, format.write_denial(denial), self._note(record))
            self._any(self._places.swap([(place, swap) for place in self._places.of(key)]))

    def denied(self) -> tuple[Denial, ...]:
        with self._lock:
            found: dict[str, Denial] = {}
            for seen in self._read(format.DENIED).values():
                for key, cell in seen.cells.items():
                    denial = format.read_denial(key, cell.value)
                    found.setdefault(denial.version, denial)
            return tuple(found[version] for version in sorted(found))

    def clear_denial(self, version: str, reason: str = "") -> AuditRecord:
        denied = {denial.version: denial for denial in self.denied()}
        if version not in denied:
            hint = did_you_mean(version, denied) or (f"denied: {', '.join(denied)}" if denied else None)
            raise InputError(f"the version {version!r} is not denied", next=hint)
        return self._take_away(
            format.DENIED, version, "clear-denial", reason, format.plain(format.write_denial(denied[version]))
        )

    def audit(self) -> tuple[AuditRecord, ...]:
        with self._lock:
            found = {
                key: format.read_audit(key, cell.value)
                for seen in self._read(format.AUDIT).values()
                for key, cell in seen.cells.items()
            }
            return tuple(found[key] for key in sorted(found))

    # --- one key at many places --------------------------------------------------------------------------------------

    def _take(
        self, key: str, wish: Lease, batch: Sequence[str], takes_over: frozenset[str]
    ) -> dict[str, tuple[Lease, int] | CoreopsError]:
        """Try to write ``wish`` at each place: the lease and its mark there, or why not."""
        found: dict[str, tuple[Lease, int] | CoreopsError] = {}
        want = dict.fromkeys(batch, 0)
        for _ in range(_TRIES):
            swaps = [(place, Swap(key, seen, format.write_lease(wish))) for place, seen in want.items()]
            again: dict[str, Cell] = {}
            for (place, _swap), outcome in zip(swaps, self._places.swap(swaps), strict=True):
                if isinstance(outcome, CoreopsError):
                    found[place] = outcome
                elif outcome.done and outcome.cell is not None:
                    found[place] = (replace(wish, token=outcome.cell.mark), outcome.cell.mark)
                elif outcome.cell is None:
                    again[place] = Cell("", 0)  # given back between two looks
                elif self._is_ours(stands := format.read_lease(key, outcome.cell.value, outcome.cell.mark)):
                    found[place] = (stands, outcome.cell.mark)
                else:
                    again[place] = outcome.cell
            if not again:
                return found
            want = {}
            seen_at = self._read(format.LEASES)
            for place in again:
                seen = seen_at.get(place)
                cell = seen.cells.get(key) if seen else None
                if seen is None:
                    found[place] = self.unread.get(place) or _moving(key)
                elif cell is None:
                    want[place] = 0
                else:
                    holder = self._seen(key, cell, seen)
                    if self._may_take(holder, takes_over) or self._is_leftover(key, holder, seen_at):
                        want[place] = cell.mark
                    else:
                        found[place] = self._busy(holder, takes_over)
            if not want:
                return found
        return found | {place: _moving(key) for place in want}

    def _update(self, leases: Mapping[str, Lease]) -> tuple[Lease, ...]:
        """Write our leases anew; return and forget the lost ones."""
        now = format.utc(self._now())
        new = {node: replace(lease, renewed=now) for node, lease in leases.items()}
        gone: dict[str, int] = dict.fromkeys(leases, 0)
        want = [(node, place) for node in leases for place in self._mine[node].marks]
        errors: dict[str, CoreopsError] = {}
        reached = 0
        for _ in range(_TRIES):
            if not want:
                break
            swaps = []
            for node, place in want:
                key = format.key(format.LEASES, node)
                swaps.append((place, Swap(key, self._mine[node].marks[place], format.write_lease(new[node]))))
            again = []
            for (node, place), outcome in zip(want, self._places.swap(swaps), strict=True):
                if isinstance(outcome, CoreopsError):
                    errors.setdefault(place, outcome)
                    continue
                reached += 1
                if outcome.cell is not None and not outcome.done:
                    stands = format.read_lease(format.key(format.LEASES, node), outcome.cell.value, 0)
                    if self._is_ours(stands):  # an update of ours whose answer was lost
                        self._mine[node].marks[place] = outcome.cell.mark
                        again.append((node, place))
                        continue
                if outcome.done and outcome.cell is not None:
                    self._mine[node].marks[place] = outcome.cell.mark
                else:
                    gone[node] += 1
            want = again
        self.unheard = frozenset() if reached else frozenset(errors)
        if errors and not reached:
            raise next(iter(errors.values()))
        lost = []
        for node, lease in new.items():
            places = len(self._places.of(format.key(format.LEASES, node)))
            if gone[node] and not _most(len(self._mine[node].marks) - gone[node], places):
                lost.append(self._mine.pop(node).lease)
            else:
                self._mine[node].lease = lease
        return tuple(lost)

    def _give_back(self, key: str, mine: _Mine, *, must: bool = False) -> None:
        """Take our lease away wherever it is, the place that is asked first by others as the last one."""
        errors: list[CoreopsError] = []
        first, *rest = list(mine.marks) or [""]
        done = 0
        for batch in (rest, [first] if first else []):
            want = list(batch)
            for _ in range(_TRIES):
                swaps = [(place, Swap(key, mine.marks[place], None)) for place in want]
                want = []
                for (place, _swap), outcome in zip(swaps, self._places.swap(swaps) if swaps else (), strict=True):
                    if isinstance(outcome, CoreopsError):
                        errors.append(outcome)
                    elif not outcome.done and outcome.cell and self._is_ours(_lease(key, outcome.cell)):
                        mine.marks[place] = outcome.cell.mark
                        want.append(place)
                    else:
                        done += 1
        if must and errors and not done:
            raise errors[0]

    def _take_away(self, folder: str, name: str, what: str, reason: str, had: Mapping[str, object]) -> AuditRecord:
        """Remove a key everywhere, whatever stands there, and record it in the same breath."""
        holder, key = self._holder, format.key(folder, name)
        at = format.utc(self._now())
        record = AuditRecord(
            what=what, subject=name, by=holder.owner, run=holder.run, at=at, reason=reason, had=dict(had)
        )
        with self._lock:
            note = self._note(record)
            for _ in range(_TRIES):
                seen = self._read(folder)
                wishes = [
                    (place, Swap(key, cell.mark, None, note))
                    for place, each in seen.items()
                    if (cell := each.cells.get(key)) is not None
                ]
                if not wishes:
                    if any(note[0] in each.cells for each in self._read(format.AUDIT).values()):
                        break  # it was us; the answer was lost
                    raise InputError(f"{name!r} is gone already", next="look again: somebody else was here")
                if all(outcome.done for outcome in self._any(self._places.swap(wishes))):
                    break
            else:
                raise _moving(key)
            if folder == format.LEASES:
                self._mine.pop(name, None)
        return record

    # --- small rules -------------------------------------------------------------------------------------------------

    def _lease(self, node: str, reason: str, boot_id: str) -> Lease:
        holder, now = self._holder, format.utc(self._now())
        return Lease(
            node=node,
            run=holder.run,
            owner=holder.owner,
            pid=holder.pid,
            home=holder.home,
            session=holder.session,
            boot_id=boot_id,
            reason=reason,
            since=now,
            renewed=now,
        )

    def _is_ours(self, lease: Lease) -> bool:
        return bool(lease.session) and lease.session == self._holder.session

    def _seen(self, key: str, cell: Cell, seen: Seen) -> Lease:
        """A lease with what is known of its holder's life."""
        lease = format.read_lease(key, cell.value, cell.mark)
        silent = format.since(lease.renewed, self._now())
        alive = lease.session in seen.alive and not self._holder.knows_gone(lease)
        return replace(lease, alive=alive, silent=silent)

    def _may_take(self, lease: Lease, takes_over: frozenset[str]) -> bool:
        return bool(lease.run) and lease.format <= FORMAT and lease.run in takes_over and not lease.alive

    def _is_leftover(self, key: str, lease: Lease, seen: Mapping[str, Seen]) -> bool:
        """Is this what a silent holder left at a place that was away when it gave the rest back?

        So it is when it cannot have most places, even with all those that do not answer now.
        """
        places = self._places.of(key)
        without = sum(
            place in seen
            and ((cell := seen[place].cells.get(key)) is None or _lease(key, cell).session != lease.session)
            for place in places
        )
        return bool(lease.session) and not lease.alive and not _most(len(places) - without, len(places))

    def _busy(self, lease: Lease, takes_over: frozenset[str]) -> Busy:
        if lease.run in takes_over and lease.alive:
            return Busy(lease, next=f"run {lease.run} still gives signs of life: stop it, or wait until it is silent")
        if lease.format > FORMAT:
            return Busy(lease, next="a newer coreops wrote this lease: use that one")
        return Busy(lease)

    def _note(self, record: AuditRecord) -> tuple[str, str]:
        self._notes += 1
        stamp = self._now().astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        name = f"{stamp}-{self._holder.session}-{self._notes}"
        return format.key(format.AUDIT, name), format.write_audit(record)

    def _read(self, folder: str) -> dict[str, Seen]:
        answers = self._places.read(folder)
        self.unread = {place: each for place, each in answers.items() if isinstance(each, CoreopsError)}
        if self.unread and len(self.unread) == len(answers):
            raise _nobody(self.unread)
        return {place: each for place, each in answers.items() if not isinstance(each, CoreopsError)}

    @staticmethod
    def _any(outcomes: Sequence[Swapped | CoreopsError]) -> list[Swapped]:
        """The outcomes of the places that answered. Raises when none did."""
        good = [outcome for outcome in outcomes if not isinstance(outcome, CoreopsError)]
        if not good:
            raise next(outcome for outcome in outcomes if isinstance(outcome, CoreopsError))
        return good


def _nobody(errors: Mapping[str, CoreopsError]) -> CoreopsError:
    """The first error stands for all of them."""
    first = next(iter(errors.values()))
    if len(errors) == 1 or not isinstance(first, UnreachableError):
        return first
    why = f"{first.where}: {first.what}" + (f": {first.why}" if first.why else "")
    what = f"none of the {len(errors)} hosts that keep leases and denials answers"
    return UnreachableError(first.kind, what, why=why, next=first.next)


def _most(number: int, of: int) -> bool:
    return number > of // 2


def _lease(key: str, cell: Cell) -> Lease:
    return format.read_lease(key, cell.value, cell.mark)


def _moving(key: str) -> CoreopsError:
    return UnreachableError("timeout", f"{format.name(key)} changes hands too fast to be had", next="run it again")
