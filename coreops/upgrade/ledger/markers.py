"""The ledger without etcd: markers on the nodes. A node is to its own markers what etcd is to its keys: one writer at
a time, a mark that rises. ``@rollout`` and denials stand on all nodes.

Builds steps and reads their answers; how they get to the nodes is the caller's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

from coreops.errors import CoreopsError, HostFailed
from coreops.model import Record, ShellStep
from coreops.upgrade import guard
from coreops.upgrade.ledger import format
from coreops.upgrade.ledger.places import Cell, Seen, Swap, Swapped
from coreops.upgrade.ledger.protocol import TTL
from coreops.upgrade.protocol import ROLLOUT

Answers = Mapping[str, Record] | CoreopsError
AskOn = Callable[[Mapping[str, Sequence[ShellStep]]], Mapping[str, Answers]]
"""Runs each host's steps; its records, or the UnreachableError. The steps may run twice."""

FOLDER = f"{guard.FOLDER}/ledger/v1"
_SCRIPTS = Path(__file__).with_name("scripts")


class Markers:
    """``Places``, one a host. The hosts are asked in the order of their names."""

    def __init__(self, ask_on: AskOn, hosts: Sequence[str]) -> None:
        self._ask_on = ask_on
        self._hosts = tuple(sorted(hosts))
        self._ids = (f"ledger-{secrets.token_hex(4)}-{number}" for number in count(1))

    def of(self, key: str) -> tuple[str, ...]:
        node = format.name(key)
        single = key.startswith(f"{format.LEASES}/") and node != ROLLOUT
        return (node,) if single else self._hosts

    def swap(self, wishes: Sequence[tuple[str, Swap]]) -> Sequence[Swapped | CoreopsError]:
        steps: dict[str, list[ShellStep]] = {}
        asked: list[tuple[str, str, Swap]] = []
        for host, swap in wishes:
            step = self._step("change a marker", "swap.sh", _wish(swap))
            steps.setdefault(host, []).append(step)
            asked.append((host, step.id, swap))
        answers = self._ask(steps)
        return [_outcome(host, _record(host, id, answers), swap) for host, id, swap in asked]

    def read(self, folder: str) -> Mapping[str, Seen | CoreopsError]:
        steps = {host: [self._step("read the markers", "read.sh", {"FOLDER": folder})] for host in self._hosts}
        answers = self._ask(steps)
        found: dict[str, Seen | CoreopsError] = {}
        for host, [step] in steps.items():
            record = _record(host, step.id, answers)
            found[host] = record if isinstance(record, CoreopsError) else _seen(record)
        return found

    def beat(self, run: str, session: str) -> None:
        """A marker's age is the sign of life: ``renew`` writes them all."""

    def quiet(self) -> None:
        """A marker that is not renewed falls silent by itself."""

    def _ask(self, steps: Mapping[str, Sequence[ShellStep]]) -> Mapping[str, Answers]:
        known = {host: own for host, own in steps.items() if host in self._hosts}
        return self._ask_on(known) if known else {}

    def _step(self, title: str, script: str, env: Mapping[str, str]) -> ShellStep:
        return ShellStep(
            id=next(self._ids),
            title=title,
            act=(_SCRIPTS / script).read_text(encoding="ascii"),
            env={"LEDGER": FOLDER, "FENCE": f"{guard.FOLDER}/fence", **env},
            changes=False,
            timeout=60.0,
            ignore_errors=True,
        )


def _wish(swap: Swap) -> dict[str, str]:
    note_key, note = swap.note or ("", "")
    return {"KEY": swap.key, "SEEN": str(swap.seen), "VALUE": swap.value or "", "NOTE_KEY": note_key, "NOTE": note}


def _record(host: str, id: str, answers: Mapping[str, Answers]) -> Record | CoreopsError:
    found = answers.get(host)
    if found is None:
        return HostFailed("this host keeps no markers of this inventory", where=host)
    if isinstance(found, CoreopsError):
        return found
    record = found.get(id)
    if record is None or record.state not in ("ok", "changed"):
        said = "" if record is None else record.stderr.decode(errors="replace").strip()
        return HostFailed("the node's markers could not be used", where=host, why=said or None)
    return record


def _outcome(host: str, record: Record | CoreopsError, swap: Swap) -> Swapped | CoreopsError:
    if isinstance(record, CoreopsError):
        return record
    word, _, rest = record.stdout.decode("ascii", "replace").strip().partition(" ")
    mark, _, value = rest.partition(" ")
    if word == "absent":
        return Swapped(False, None)
    if word not in ("done", "stands") or not mark.isdigit():
        return HostFailed("the node's markers cannot be read", where=host, why=repr(record.stdout[:80]))
    if word == "stands":
        return Swapped(False, Cell(value, int(mark)))
    return Swapped(True, None if swap.value is None else Cell(swap.value, int(mark)))


def _seen(record: Record) -> Seen:
    cells: dict[str, Cell] = {}
    alive: set[str] = set()
    for line in record.stdout.decode("ascii", "replace").splitlines():
        key, age, mark, value = [*line.split(" ", 3), "", "", ""][:4]
        cells[key] = Cell(value, int(mark))
        if int(age) < TTL:
            alive.add(format.session(value))
    return Seen(cells, frozenset(alive))
