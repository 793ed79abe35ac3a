"""Asks the store which nodes are registered: etcdctl on any store host that answers. Opens no connection itself."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from coreops.errors import UnreachableError
from coreops.model import Record, ShellStep
from coreops.registration.record import PREFIX, Registered, parse
from coreops.store import etcdctl

Ask = Callable[[Sequence[ShellStep]], Mapping[str, Record]]
"""Runs steps on a store host that answers; any of them may run twice. Raises UnreachableError when there is none."""

POLL = 10
_TRIES = 3
_WATCH = """out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
{line} >"$out" 2>&1 &
watch=$!
trap 'kill "$watch" 2>/dev/null; exit 1' TERM INT
n=0
while [ ! -s "$out" ] && kill -0 "$watch" 2>/dev/null && [ "$n" -lt {ticks} ]; do
    sleep 0.25 2>/dev/null || sleep 1
    n=$((n + 1))
done
sleep 0.1 2>/dev/null # the rest of a line that is being written
kill "$watch" 2>/dev/null
wait "$watch" 2>/dev/null
cat "$out"
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Who is registered, by machine-id, as of a revision of the store."""

    nodes: Mapping[str, Registered]
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened. now: None when the node is gone. before: None when it was not there."""

    before: Registered | None
    now: Registered | None

    @property
    def node(self) -> Registered:
        found = self.now or self.before
        if found is None:
            raise ValueError("a change of nothing")
        return found


class Registry:
    """The records of one cluster. endpoints: the client URLs of all members."""

    def __init__(self, ask: Ask, endpoints: Sequence[str]) -> None:
        self._ask = ask
        self._endpoints = tuple(endpoints)
        self._ids = (f"registry-{secrets.token_hex(4)}-{number}" for number in count(1))

    def read(self) -> Standing:
        """Who is registered now. Raises UnreachableError when the store does not answer."""
        line = etcdctl.line("-w", "json", "get", "--prefix", PREFIX, endpoints=self._endpoints)
        answer = self._answer(line, 30.0)
        try:
            found = json.loads(answer)
            nodes = dict(_pairs(found.get("kvs", ())))
            return Standing(nodes, int(found["header"]["revision"]))
        except (ValueError, KeyError, TypeError) as error:
            raise _silent(answer[:80]) from error

    def changes(self, standing: Standing, poll: int = POLL) -> Standing | None:
        """Wait up to ``poll`` seconds for something to happen after ``standing``; None: look anew (history is gone)."""
        words = ("-w", "json", "watch", "--prefix", f"--rev={standing.revision + 1}", PREFIX)
        line = etcdctl.line(*words, endpoints=self._endpoints)
        answer = self._answer(_WATCH.format(line=line, ticks=poll * 4), poll + 30.0)
        nodes, revision = dict(standing.nodes), standing.revision
        for text in answer.splitlines():
            try:
                found = json.loads(text)
            except ValueError:
                return None  # not a watch's answer: what it is, the next look tells
            if found.get("CompactRevision") or found.get("Canceled"):
                return None
            revision = max(revision, int(found["Header"]["revision"]))
            for event in found.get("Events") or ():
                _apply(nodes, event)
        return Standing(nodes, revision)

    def _answer(self, script: str, timeout: float) -> str:
        said = ""
        for _ in range(_TRIES):
            step = ShellStep(
                id=next(self._ids),
                title="ask etcd who is registered",
                probe=script,
                timeout=timeout,
                ignore_errors=True,
            )
            record = self._ask([step]).get(step.id)
            if record is not None and record.state == "ok":
                return record.stdout.decode("utf-8", errors="replace")
            said = "" if record is None else record.stderr.decode(errors="replace").strip()
        raise _silent(said)


def between(before: Standing, now: Standing) -> Iterator[Change]:
    """What happened, node by node."""
    for machine in dict.fromkeys((*before.nodes, *now.nodes)):
        old, new = before.nodes.get(machine), now.nodes.get(machine)
        if old != new:
            yield Change(old, new)


def _pairs(kvs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Registered]]:
    for pair in kvs:
        found = parse(_text(pair["key"]), _text(pair.get("value", "")))
        if found is not None:
            yield found.machine_id, found


def _apply(nodes: dict[str, Registered], event: Mapping[str, Any]) -> None:
    pair = event["kv"]
    machine = _text(pair["key"]).removeprefix(PREFIX)
    found = dict(_pairs([pair])) if event.get("type", 0) in (0, "PUT") else {}
    nodes.pop(machine, None)
    nodes |= found


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode("utf-8", "replace")


def _silent(said: str) -> UnreachableError:
    return UnreachableError(
        "timeout",
        "etcd does not tell who is registered",
        why=said.splitlines()[-1] if said else None,
        next="look with: coreops bootstrap INVENTORY --check",
    )
