"""The journal of a run: ``.coreops/runs/<id>/journal.jsonl``, one JSON object a line, written before it is acted upon.

A resumed run answers its programs from the journal as far as it goes. Output of steps marked secret is never written.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coreops.engine.program import Program, Wait
from coreops.errors import InputError
from coreops.events import Event, HostFinished, RunFinished, SegmentSent
from coreops.frozen import frozen
from coreops.model import Record, Segment

ROOT = Path(".coreops/runs")
_FINAL = ("ok", "changed")


@frozen
class RunInfo:
    """What a run was asked to do; ``fingerprint`` hashes everything it read, so that resume can tell a change."""

    command: str
    arguments: Mapping[str, Any]
    fingerprint: str


class Journal:
    """One run's journal. Thread-safe. Also a subscriber of events: call it with one."""

    def __init__(self, path: Path, id: str, records: Mapping[str, Mapping[str, Record]]) -> None:
        self.id = id
        self.path = path
        self._records = records
        self._lock = threading.Lock()
        self._fd = os.open(path / "journal.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    @classmethod
    def start(cls, info: RunInfo, root: Path = ROOT) -> Journal:
        """Create the folder of a new run. Raises InputError when it cannot be written."""
        id = f"{datetime.now(UTC):%Y%m%d-%H%M%S%f}"[:-3] + f"-{secrets.token_hex(2)}"
        path = root / id
        try:
            path.mkdir(parents=True, mode=0o700)
            journal = cls(path, id, {})
        except OSError as error:
            raise InputError("cannot write the journal of this run", where=path, why=str(error)) from error
        journal._write({"run": id, **asdict(info)})
        return journal

    @classmethod
    def resume(cls, id: str, command: str, root: Path = ROOT) -> tuple[Journal, RunInfo]:
        """Open the journal of an earlier run of ``command`` (id ``last``: the newest). Raises InputError."""
        path = _find(id, command, root)
        info: RunInfo | None = None
        records: dict[str, dict[str, Record]] = {}
        for line in (path / "journal.jsonl").read_bytes().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the last line of a run that was killed while writing
            if "command" in entry:
                info = RunInfo(entry["command"], entry["arguments"], entry["fingerprint"])
            elif "record" in entry and entry["record"]["state"] in _FINAL and not entry.get("secret"):
                record = _load(entry["record"])
                records.setdefault(entry["host"], {})[record.step] = record
        if info is None:
            raise InputError(f"the journal of run {path.name} has no beginning", where=path)
        return cls(path, path.name, records), info

    def record(self, host: str, record: Record, *, secret: bool) -> None:
        """Note a record."""
        kept = {"step": record.step, "state": record.state, "rc": record.rc} if secret else _dump(record)
        self._write({"host": host, "record": kept, **({"secret": True} if secret else {})})

    def replay(self, host: str, program: Program) -> Program:
        """Answer ``program`` from this journal as far as it goes."""
        records = self._records.get(host)
        return _Replay(program, dict(records)) if records else program

    def __call__(self, event: Event) -> None:
        """Note what was sent and how hosts and the run ended."""
        if isinstance(event, SegmentSent | HostFinished | RunFinished):
            self._write({"event": type(event).__name__, **asdict(event)})

    def note(self, **what: Any) -> None:
        """Note what was decided, before it is done."""
        self._write(what)

    def close(self) -> None:
        os.close(self._fd)

    def _write(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **entry}) + "\n"
        with self._lock:
            os.write(self._fd, line.encode())


class _Replay:
    """A program whose first steps are known already."""

    def __init__(self, inner: Program, known: dict[str, Record]) -> None:
        self._inner = inner
        self._known = known

    def next(self) -> Segment | Wait | None:
        while isinstance(segment := self._inner.next(), Segment):
            left = list(segment.steps)
            while left and (record := self._known.pop(left[0].id, None)) is not None:
                left.pop(0)
                self._inner.feed(record)
            if left:
                return Segment(segment.id, tuple(left), segment.user, segment.check, segment.diff)
            if self._inner.failure is not None:
                return None
        return segment

    def feed(self, record: Record) -> None:
        self._inner.feed(record)

    def abandon(self) -> None:
        self._inner.abandon()

    @property
    def failure(self) -> str | None:
        return self._inner.failure

    @property
    def failed_fatally(self) -> bool:
        return self._inner.failed_fatally


def _find(id: str, command: str, root: Path) -> Path:
    runs = [path for path in sorted(root.glob("*")) if _command(path) == command]
    chosen = runs[-1:] if id == "last" else [path for path in runs if path.name == id or path.name.endswith(f"-{id}")]
    if len(chosen) != 1:
        recent = ", ".join(path.name for path in runs[-3:]) or "none"
        raise InputError(f"no run {id!r} to resume", where=root, why=f"the newest are: {recent}")
    return chosen[0]


def _command(path: Path) -> str | None:
    """What a run was, by the first line of its journal."""
    try:
        with (path / "journal.jsonl").open("rb") as stream:
            return str(json.loads(stream.readline())["command"])
    except (OSError, ValueError, KeyError):
        return None


_BYTES = ("stdout", "stderr", "before")
_NUMBERS = ("rc", "truncated", "seconds")


def _dump(record: Record) -> dict[str, Any]:
    """The fields that are not at their default; by hand, as ``asdict`` costs more than a whole step."""
    entry: dict[str, Any] = {"step": record.step, "state": record.state}
    for name in _NUMBERS:
        if value := getattr(record, name):
            entry[name] = value
    for name in _BYTES:
        if data := getattr(record, name):
            try:
                entry[name] = data.decode()
            except UnicodeDecodeError:
                entry[name] = {"base64": base64.b64encode(data).decode()}
    return entry


def _load(entry: Mapping[str, Any]) -> Record:
    fields = dict(entry)
    for name in _BYTES:
        value = fields.get(name, "")
        fields[name] = base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()
    return Record(**fields)
