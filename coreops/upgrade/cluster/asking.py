"""The way to the store for the ledger: asks any store host that answers, over connections of its own, so that a lease
can be renewed while every node's session is busy. Thread-safe.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from coreops.engine.engine import Engine
from coreops.engine.steps import StepsProgram
from coreops.errors import CoreopsError, UnreachableError
from coreops.model import Record, ShellStep, Target
from coreops.transport.protocol import Transport

TIMEOUT = 5.0
_PART = 3
"""Seconds for each stage of a connection, since there are others to ask; that part of a patience that is longer."""


def in_time(target: Target, seconds: float, part: int) -> Target:
    """The same with less patience for a connection: so many seconds, or that part of an operator's own."""
    return replace(target, connect_timeout=min(target.connect_timeout, max(seconds, target.connect_timeout / part)))


class Asking:
    """Runs steps on hosts; what the steps said is the caller's business, also when they failed."""

    def __init__(self, targets: Mapping[str, Target], *, run: str, transport: Transport | None = None) -> None:
        quick = {name: in_time(target, TIMEOUT, _PART) for name, target in targets.items()}
        self._engine = Engine(quick, lambda event: None, run=run, transport=transport, reconnect=0.0)
        self._lock = threading.Lock()
        self._order = list(targets)

    def one(self, steps: Sequence[ShellStep]) -> dict[str, Record]:
        """Ask the host that answered last, else the next. Raises UnreachableError when none answers."""
        with self._lock:
            errors: dict[str, CoreopsError] = {}
            for host in tuple(self._order):
                records, error = self._ask({host: steps})[host]
                if error is None:
                    if any(record.state == "failed" for record in records.values()):
                        self._order.append(self._order.pop(self._order.index(host)))  # the next question goes elsewhere
                    return records
                errors[host] = error
                self._order.remove(host)
                self._order.append(host)
        last = next(reversed(errors.values()), None)
        raise UnreachableError(
            last.kind if isinstance(last, UnreachableError) else "lost",
            "no host of the store could be asked",
            where=", ".join(errors),
            why="; ".join(f"{host}: {error.what}" for host, error in errors.items()),
            next="look at the store's hosts, then run again",
        )

    def each(self, steps: Mapping[str, Sequence[ShellStep]]) -> dict[str, dict[str, Record] | CoreopsError]:
        """Ask several hosts at the same time; an error instead of records for those that did not answer."""
        with self._lock:
            found = self._ask(steps)
        return {host: records if error is None else error for host, (records, error) in found.items()}

    def close(self) -> None:
        """Close all connections."""
        self._engine.close()

    def _ask(
        self, steps: Mapping[str, Sequence[ShellStep]]
    ) -> dict[str, tuple[dict[str, Record], CoreopsError | None]]:
        programs = {
            host: StepsProgram([replace(step, ignore_errors=True) for step in own]) for host, own in steps.items()
        }
        found = {}
        for host, outcome in self._engine.drive(programs).items():
            if outcome.error is not None:
                self._engine.disconnect(host)
            found[host] = (programs[host].records, outcome.error)
        return found
