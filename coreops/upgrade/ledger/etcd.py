"""The ledger in etcd (API version 3): every change is one transaction on the mod revision that was seen.

Builds etcdctl's commands and reads its answers; how a step gets to a store node is the caller's. etcd's reads are
linearizable unless asked otherwise, so nothing here is ever old.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from coreops.errors import CoreopsError, UnreachableError
from coreops.model import Record, ShellStep
from coreops.shell.quote import q
from coreops.store import etcdctl
from coreops.upgrade.ledger import format
from coreops.upgrade.ledger.places import Cell, Seen, Swap, Swapped
from coreops.upgrade.ledger.protocol import TTL

Ask = Callable[[Sequence[ShellStep]], Mapping[str, Record]]
"""Runs steps on a store node that answers; all of them may run twice. Raises UnreachableError when there is none."""

_PLACE = "etcd"
_DEADLINE = 10.0  # etcdctl ends what it asks after 5 s, but transactions never
_GONE = b"requested lease not found"
_TRIES = 3
_DONE = ("ok", "changed")


class Etcd:
    """``Places`` of which there is one. endpoints: the client URLs of all members."""

    def __init__(self, ask: Ask, endpoints: Sequence[str]) -> None:
        self._ask = ask
        self._endpoints = tuple(endpoints)
        self._ids = (f"ledger-{secrets.token_hex(4)}-{number}" for number in count(1))
        self._heartbeat = ""

    def of(self, key: str) -> tuple[str, ...]:
        return (_PLACE,)

    def swap(self, wishes: Sequence[tuple[str, Swap]]) -> Sequence[Swapped | CoreopsError]:
        steps = [self._step("txn", stdin=_transaction(swap)) for _, swap in wishes]
        try:
            records = self._asked(steps)
        except CoreopsError as error:
            return [error] * len(steps)
        outcomes: list[Swapped | CoreopsError] = []
        for step, (_, swap) in zip(steps, wishes, strict=True):
            try:
                outcomes.append(_swapped(self._answers(records.get(step.id))[0], swap))
            except CoreopsError as error:
                outcomes.append(error)
        return outcomes

    def read(self, folder: str) -> Mapping[str, Seen | CoreopsError]:
        # Leases before heartbeats: a holder that came between the two is seen alive or not at all.
        folders = [folder, format.HEARTBEATS] if folder == format.LEASES else [folder]
        steps = [self._step("get", "--prefix", f"{format.ROOT}{each}/") for each in folders]
        try:
            records = self._asked(steps)
            cells, *beats = [_cells(self._answers(records.get(step.id))[0]) for step in steps]
        except CoreopsError as error:
            return {_PLACE: error}
        alive = frozenset(format.session(cell.value) for each in beats for cell in each.values())
        return {_PLACE: Seen(cells, alive)}

    def beat(self, run: str, session: str) -> None:
        # A new etcd lease each time, the old one runs out: so it does not matter whether that one still lived.
        self._heartbeat = f"{int(self._one('lease', 'grant', str(TTL))['ID']):x}"
        value = format.dump({"v": 1, "run": run, "session": session})
        key = format.ROOT + format.key(format.HEARTBEATS, run)
        self._one("put", f"--lease={self._heartbeat}", "--", key, value)

    def quiet(self) -> None:
        if self._heartbeat:
            step = self._step("lease", "revoke", self._heartbeat)
            record = self._ask([step]).get(step.id)
            if record is None or _GONE not in record.stderr:
                self._answers(record)
            self._heartbeat = ""

    def _one(self, *words: str) -> dict[str, Any]:
        step = self._step(*words)
        return self._answers(self._asked([step]).get(step.id))[0]

    def _asked(self, steps: Sequence[ShellStep]) -> Mapping[str, Record]:
        """Ask, and again when etcd did not answer: what was said while a leader is being elected is lost."""
        for _ in range(_TRIES - 1):
            records = self._ask(steps)
            if all(step.id in records and records[step.id].state in _DONE for step in steps):
                return records
        return self._ask(steps)

    def _step(self, *words: str, stdin: str = "") -> ShellStep:
        line = etcdctl.line("-w", "json", *words, endpoints=self._endpoints)
        script = f"printf %s {q(stdin)} | {line}" if stdin else line
        return ShellStep(
            id=next(self._ids),
            title=f"ask etcd ({words[0]})",
            act=script,
            changes=False,
            timeout=_DEADLINE,
            ignore_errors=True,
        )

    @staticmethod
    def _answers(record: Record | None) -> list[dict[str, Any]]:
        said = "" if record is None else record.stderr.decode(errors="replace").strip()
        if record is not None and record.state in _DONE:
            try:
                found = [json.loads(line) for line in record.stdout.splitlines() if line.startswith(b"{")]
            except ValueError:
                found = []
            if found:
                return found
            said = f"not the answer expected of etcdctl: {record.stdout[:80]!r}"
        raise UnreachableError(
            "timeout",
            "etcd gave no answer to the ledger",
            where=_PLACE,
            why=said.splitlines()[-1] if said else None,
            next="look with: coreops bootstrap INVENTORY --check; then run the same command again: nothing was assumed",
        )


def _transaction(swap: Swap) -> str:
    """etcdctl's notation: conditions, what to do, what to do else, with empty lines between."""
    key = _word(format.ROOT + swap.key)
    then = [f"del {key}" if swap.value is None else f"put {key} {_word(swap.value)}"]
    if swap.note is not None:
        then.append(f"put {_word(format.ROOT + swap.note[0])} {_word(swap.note[1])}")
    return "\n".join([f'mod({key}) = "{swap.seen:d}"', "", *then, "", f"get {key}", "", ""])


def _word(text: str) -> str:
    """A Go string literal. Keys and values are ASCII, for which JSON's escapes are Go's."""
    return json.dumps(text)


def _swapped(answer: Mapping[str, Any], swap: Swap) -> Swapped:
    if answer.get("succeeded"):
        revision = int(answer["header"]["revision"])
        return Swapped(True, None if swap.value is None else Cell(swap.value, revision))
    found = _cells(answer["responses"][0]["Response"]["response_range"])
    return Swapped(False, found.get(swap.key))


def _cells(answer: Mapping[str, Any]) -> dict[str, Cell]:
    cells = {}
    for pair in answer.get("kvs", ()):
        key = base64.b64decode(pair["key"]).decode("utf-8", "replace").removeprefix(format.ROOT)
        value = base64.b64decode(pair.get("value", "")).decode("utf-8", "replace")
        if key == format.key(key.partition("/")[0], format.name(key)):  # else somebody else's
            cells[key] = Cell(value, int(pair["mod_revision"]))
    return cells
