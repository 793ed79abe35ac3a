"""The ledger in etcd (API version 3): every change is one transaction on the mod revision that was seen.

Asks the first member's JSON gateway with curl, and where that does not answer etcdctl; both say the same in JSON. How a
step gets to a store node is the caller's. etcd's reads are linearizable unless asked otherwise, so nothing here is ever
old. What curl asked for may have been done when etcdctl asks for it again: every step may run twice.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from math import ceil
from typing import Any

from coreops.errors import CoreopsError, UnreachableError
from coreops.model import Record, ShellStep
from coreops.shell.quote import q
from coreops.store import etcdctl, gateway
from coreops.store.gateway import Request
from coreops.upgrade.ledger import format
from coreops.upgrade.ledger.places import Cell, Seen, Swap, Swapped
from coreops.upgrade.ledger.protocol import TTL

Ask = Callable[[Sequence[ShellStep]], Mapping[str, Record]]
"""Runs steps on a store node that answers; all of them may run twice. Raises UnreachableError when there is none."""

_PLACE = "etcd"
_ETCDCTL = 5  # seconds, after which it ends what it asks, but transactions never
_LONGER = 15.0  # an etcd lease lives than its holder waits for an answer
_GONE = b"requested lease not found"
_TRIES = 3
_DONE = ("ok", "changed")
_PATHS: Mapping[tuple[str, ...], str] = {
    ("txn",): "/v3/kv/txn",
    ("get",): "/v3/kv/range",
    ("put",): "/v3/kv/put",
    ("lease", "grant"): "/v3/lease/grant",
    ("lease", "revoke"): "/v3/lease/revoke",
}
"""Where the gateway has what etcdctl calls so."""


class Etcd:
    """``Places`` of which there is one. endpoints: of all members, for clients. answer, silence: see ``Patience``."""

    def __init__(self, ask: Ask, endpoints: Sequence[str], *, answer: float = 2.0, silence: float = 0.0) -> None:
        self._ask = ask
        self._endpoints = tuple(endpoints)
        self._ids = (f"ledger-{secrets.token_hex(4)}-{number}" for number in count(1))
        self._heartbeat = ""
        self._answer = ceil(answer)
        self._ttl = max(TTL, ceil(silence + _LONGER))

    def of(self, key: str) -> tuple[str, ...]:
        return (_PLACE,)

    def swap(self, wishes: Sequence[tuple[str, Swap]]) -> Sequence[Swapped | CoreopsError]:
        steps = [self._step("txn", body=_conditional(swap), stdin=_transaction(swap)) for _, swap in wishes]
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
        steps = [
            self._step("get", "--prefix", key, body=_under(key)) for key in (f"{format.ROOT}{f}/" for f in folders)
        ]
        try:
            records = self._asked(steps)
            cells, *beats = [_cells(self._answers(records.get(step.id))[0]) for step in steps]
        except CoreopsError as error:
            return {_PLACE: error}
        alive = frozenset(format.session(cell.value) for each in beats for cell in each.values())
        return {_PLACE: Seen(cells, alive)}

    def beat(self, run: str, session: str) -> None:
        # A new etcd lease each time, the old one runs out: so it does not matter whether that one still lived.
        granted = int(self._one("lease", "grant", str(self._ttl), body={"TTL": str(self._ttl)})["ID"])
        self._heartbeat = f"{granted:x}"
        value = format.dump({"v": 1, "run": run, "session": session})
        key = format.ROOT + format.key(format.HEARTBEATS, run)
        put = {"key": _coded(key), "value": _coded(value), "lease": str(granted)}
        self._one("put", f"--lease={self._heartbeat}", "--", key, value, body=put)

    def quiet(self) -> None:
        if self._heartbeat:
            step = self._step("lease", "revoke", self._heartbeat, body={"ID": str(int(self._heartbeat, 16))})
            record = self._ask([step]).get(step.id)
            if record is None or _GONE not in record.stderr:
                self._answers(record)
            self._heartbeat = ""

    def _one(self, *words: str, body: Mapping[str, Any]) -> dict[str, Any]:
        step = self._step(*words, body=body)
        return self._answers(self._asked([step]).get(step.id))[0]

    def _asked(self, steps: Sequence[ShellStep]) -> Mapping[str, Record]:
        """Ask, and again when etcd did not answer: what was said while a leader is being elected is lost."""
        for _ in range(_TRIES - 1):
            records = self._ask(steps)
            if all(step.id in records and records[step.id].state in _DONE for step in steps):
                return records
        return self._ask(steps)

    def _step(self, *words: str, body: Mapping[str, Any], stdin: str = "") -> ShellStep:
        """words: etcdctl's; body: the same for the gateway."""
        seconds = max(_ETCDCTL, self._answer)
        line = etcdctl.line("-w", "json", *words, endpoints=self._endpoints, timeout=seconds)
        otherwise = f"printf %s {q(stdin)} | {line}" if stdin else line
        path = next(path for begin, path in _PATHS.items() if words[: len(begin)] == begin)
        asked = gateway.script([Request("said", self._endpoints[0] + path, json.dumps(body))], self._answer)
        script = f"{asked}if said=$(by_gateway); then printf '%s\\n' \"${{said#said }}\"; else\n{otherwise}\nfi\n"
        return ShellStep(
            id=next(self._ids),
            title=f"ask etcd ({words[0]})",
            act=script,
            changes=False,
            timeout=self._answer + seconds + 3.0,
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


def _conditional(swap: Swap) -> dict[str, Any]:
    """The same as ``_transaction``, as the gateway wants it."""
    key = _coded(format.ROOT + swap.key)
    then: list[dict[str, Any]] = [
        {"request_delete_range": {"key": key}}
        if swap.value is None
        else {"request_put": {"key": key, "value": _coded(swap.value)}}
    ]
    if swap.note is not None:
        name, text = swap.note
        then.append({"request_put": {"key": _coded(format.ROOT + name), "value": _coded(text)}})
    unchanged = {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": str(swap.seen)}
    return {"compare": [unchanged], "success": then, "failure": [{"request_range": {"key": key}}]}


def _under(prefix: str) -> dict[str, str]:
    """All keys that begin so."""
    return {"key": _coded(prefix), "range_end": _coded(prefix[:-1] + chr(ord(prefix[-1]) + 1))}


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


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
    first = answer["responses"][0]
    found = _cells(first.get("Response", first)["response_range"])  # etcdctl has one layer more
    return Swapped(False, found.get(swap.key))


def _cells(answer: Mapping[str, Any]) -> dict[str, Cell]:
    cells = {}
    for pair in answer.get("kvs", ()):
        key = base64.b64decode(pair["key"]).decode("utf-8", "replace").removeprefix(format.ROOT)
        value = base64.b64decode(pair.get("value", "")).decode("utf-8", "replace")
        if key == format.key(key.partition("/")[0], format.name(key)):  # else somebody else's
            cells[key] = Cell(value, int(pair["mod_revision"]))
    return cells
