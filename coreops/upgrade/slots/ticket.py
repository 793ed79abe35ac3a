"""The ticket as it lies on a node: JSON with one key a line, so that the node's sh can read and mark it. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any, cast, get_args

from coreops.upgrade.observation import Stage, Ticket

_WORDS = [field.name for field in fields(Ticket) if field.name != "failed_units"]


def to_text(ticket: Ticket) -> str:
    """Write a ticket; no newline at the end."""
    return json.dumps(asdict(ticket), indent=1, ensure_ascii=False)


def from_text(text: str) -> Ticket:
    """Read a ticket. Keys of later versions are ignored. Raises ValueError that says what is wrong."""
    data: Any = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")
    for word in _WORDS:
        if not isinstance(data.get(word), str):
            raise ValueError(f"{word!r} is missing or no text")
    if data["stage"] not in get_args(Stage):
        raise ValueError(f"its stage is {data['stage']!r}")
    units = data.get("failed_units", [])
    if not isinstance(units, list) or not all(isinstance(unit, str) for unit in units):
        raise ValueError("'failed_units' is no list of texts")
    words = {word: cast(str, data[word]) for word in _WORDS if word != "stage"}
    return Ticket(**words, stage=data["stage"], failed_units=tuple(units))
