"""One JSON object for each event, one event a line: what ``--json`` prints."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from coreops import events as ev
from coreops.model import TaskResult
from coreops.report.tally import public


def plain(value: Any) -> Any:
    """Turn any value into what JSON has. Bytes that are not UTF-8 become escapes; nothing raises."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes() | bytearray():
            return bytes(value).decode("utf-8", "backslashreplace")
        case TaskResult():
            return {f.name: plain(getattr(public(value), f.name)) for f in fields(value)}
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return sorted((plain(item) for item in value), key=str)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        case _:
            return str(value)


def event_name(event: ev.Event) -> str:
    """``TaskFinished`` is ``task_finished``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


class JsonLines:
    """Writes events as they come."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def __call__(self, event: ev.Event) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write(json.dumps({"event": event_name(event), "time": now, **plain(event)}))

    def close(self) -> None:
        """Nothing is held."""
