"""A log file for each host of a run, with everything its tasks said: ``<run folder>/hosts/<host>.log``.

Files are opened to append and closed again, so a thousand hosts need no thousand descriptors; what a host said in one
exchange is written at once. Secret results leave their name and state only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from coreops import events as ev
from coreops.report.tally import outcome, public
from coreops.report.text import clean

_FLUSH_AT: Final = 64 * 1024


def log_name(host: str) -> str:
    """A file name for a host, whatever the host is called."""
    name = quote(host, safe="@+,=[]:", errors="surrogatepass")
    return (name if not name.startswith(".") else "%2E" + name[1:]) + ".log"


class HostLogs:
    """Writes one file a host below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[str, list[str]] = {}

    def __call__(self, event: ev.Event) -> None:
        host = str(getattr(event, "host", ""))
        lines = [line for text in _lines(event) for line in text.splitlines()]
        if not host or not lines:
            return
        now = datetime.now(UTC).strftime("%H:%M:%S.%f")[:-3]
        waiting = self._waiting.setdefault(host, [])
        waiting.append(f"{now} {lines[0]}\n" + "".join(f"    {line}\n" for line in lines[1:]))
        if not isinstance(event, ev.TaskFinished) or event.result.failed or sum(map(len, waiting)) > _FLUSH_AT:
            self._flush(host)

    def close(self) -> None:
        """Write what is left."""
        for host in tuple(self._waiting):
            self._flush(host)

    def _flush(self, host: str) -> None:
        text = "".join(self._waiting.pop(host, ()))
        if text:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            with os.fdopen(os.open(self._folder / log_name(host), flags, 0o600), "w", encoding="utf-8") as stream:
                stream.write(text)


def _lines(event: ev.Event) -> Iterator[str]:
    match event:
        case ev.HostConnected(seconds=took):
            yield f"connected in {took:.3f} s"
        case ev.HostUnreachable(kind=kind, message=message, why=why, next=hint):
            yield clean(f"unreachable ({kind}): {message}")
            if why:
                yield clean(f"why: {why}")
            if hint:
                yield clean(f"next: {hint}")
        case ev.SegmentSent(segment=segment, steps=steps):
            yield f"exchange {clean(segment)}: {len(steps)} steps"
        case ev.Notice(text=text):
            yield clean(f"note: {text}")
        case ev.TaskFinished(name=name, item=item, seconds=took):
            result = public(event.result)
            yield clean(f"{outcome(event)}: {name}" + (f" ({item})" if item else "") + f" [{took:.2f} s]")
            parts = {"message": result.message, "diff": result.diff}
            parts |= {key: result.data[key] for key in ("rc", "stdout", "stderr") if result.data.get(key)}
            for label, value in parts.items():
                text = clean(value).rstrip("\n")
                if text:
                    yield f"{label}: {text}" if "\n" not in text else f"{label}:\n{text}"
        case ev.HostFinished(state=state):
            counts = f"ok {event.ok}, changed {event.changed}, failed {event.failed}, skipped {event.skipped}"
            yield f"{state}: {counts}, {event.exchanges} exchanges"
            if event.error:
                yield clean(event.error)
