"""What a rollout leaves on the controller: its log (``rollout.jsonl``, synced before anything is sent), its state for
those who ask while it runs, and the file by which it is asked to end. Resume needs none of it: nodes and ledger tell.

The log is locked while the rollout lives, so that a dead one is known for what it is.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coreops.engine.journal import ROOT
from coreops.errors import InputError
from coreops.upgrade.protocol import ROLLOUT

LOG = "rollout.jsonl"
STATE = "state.json"
ABORT = "abort"
_EVERY = 1.0


class Log:
    """The rollout's own journal. Used by one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fd = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._told = 0.0

    def write(self, *entries: Mapping[str, Any], sync: bool = False) -> None:
        """Append one line for each entry; with ``sync`` they are on the disk when this returns."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = [json.dumps({"time": now, **entry}, default=_plain) + "\n" for entry in entries]
        os.write(self._fd, "".join(lines).encode())
        if sync:
            os.fdatasync(self._fd)

    def tell(self, state: Callable[[], Mapping[str, Any]], *, now: bool = False) -> None:
        """Leave the state for others to read; at most once a second, unless it must be ``now``."""
        if not now and time.monotonic() - self._told < _EVERY:
            return
        self._told = time.monotonic()
        path = self.folder / STATE
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"time": time.time(), **state()}, default=_plain))
        fresh.replace(path)

    def asked_to_stop(self) -> bool:
        """Has ``coreops abort`` been here?"""
        return (self.folder / ABORT).exists()

    def close(self) -> None:
        """Let others see that this rollout lives no more."""
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class Run:
    """A rollout's folder, as those see it who are not that rollout."""

    folder: Path

    @property
    def id(self) -> str:
        """The run's id."""
        return self.folder.name

    @property
    def alive(self) -> bool:
        """Does its process live?"""
        try:
            fd = os.open(self.folder / LOG, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def lines(self) -> Iterator[dict[str, Any]]:
        """The log's entries; a last line that a kill cut short is left out."""
        for line in (self.folder / LOG).read_bytes().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            yield entry

    @property
    def request(self) -> dict[str, Any]:
        """What was asked for, as the log's first line has it."""
        return next((dict(entry["request"]) for entry in self.lines() if "request" in entry), {})

    @property
    def ended(self) -> bool:
        """Did it get to its end with nothing left to finish?"""
        return any("end" in entry and entry["end"].get("finished") for entry in self.lines())

    @property
    def worked(self) -> bool:
        """May it have done something? Not when it was refused the rollout's lease, or ended before it asked."""
        if not self.ended:
            return bool(self.request)
        return any(entry["did"]["node"] == ROLLOUT for entry in self.lines() if "did" in entry)

    def state(self) -> dict[str, Any]:
        """What it said of itself last; {} when it never did."""
        try:
            found = json.loads((self.folder / STATE).read_text())
        except (OSError, ValueError):
            return {}
        return dict(found)

    def ask_to_stop(self) -> None:
        """Ask the living process to finish what is under way, and end."""
        (self.folder / ABORT).touch(mode=0o600)


def all_runs(root: Path = ROOT) -> list[Run]:
    """Every rollout of this folder, oldest first."""
    return [Run(path.parent) for path in sorted(root.glob(f"*/{LOG}"))]


def latest(runs: Sequence[Run]) -> list[Run]:
    """The run that is meant when none is named: one that lives, else the newest that did something. Or none."""
    told = (run for run in reversed(runs) if run.alive)
    worked = (run for run in reversed(runs) if run.worked)
    found = next(told, None) or next(worked, None)
    return [found] if found else list(runs[-1:])


def find(id: str | None, root: Path = ROOT) -> Run:
    """A run by its id or the end of it; None: the latest. Raises InputError."""
    runs = all_runs(root)
    chosen = latest(runs) if id is None else [run for run in runs if run.id == id or run.id.endswith(f"-{id}")]
    if len(chosen) != 1:
        recent = ", ".join(run.id for run in runs[-3:]) or "none"
        what = "there was no rollout" if id is None else f"no rollout {id!r}"
        raise InputError(
            what, where=root, why=f"the newest are: {recent}", next="run it from the same folder as before"
        )
    return chosen[0]


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
