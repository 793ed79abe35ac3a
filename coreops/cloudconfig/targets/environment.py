"""Options and variables as lines: for units (``Environment=``) and for files of ``NAME=value``. Knows no target."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from coreops.cloudconfig.model.base import Part
from coreops.errors import InputError

_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./$-]*")


def variables(part: Part, prefix: str, special: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that a service reads its options from: ``ETCD_DATA_DIR``. special: names that differ."""
    return {(special or {}).get(key, f"{prefix}{key.upper()}"): value for key, value in texts(part).items()}


def texts(part: Part) -> dict[str, str]:
    """The options that have a value, as text."""
    return {key: text(value) for key, value in part.written().items() if value is not None}


def text(value: Any) -> str:
    """An option's value as programs in Go read it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def drop_in(values: Mapping[str, str]) -> str:
    """The content of a unit's drop-in that sets variables."""
    lines = (f'Environment="{name}={_unit(value)}"\n' for name, value in values.items())
    return "[Service]\n" + "".join(lines)


def _unit(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def argument(text: str) -> str:
    """A word in a unit, of a command line or a list of paths."""
    return '"' + _unit(text).replace("$", "$$") + '"'


def file(values: Mapping[str, str]) -> str:
    """The content of a file of variables that systemd and pam_env read alike. Raises InputError where they cannot."""
    return "".join(f"{name}={_quoted(name, value)}\n" for name, value in values.items())


def _quoted(name: str, value: str) -> str:
    if _SAFE.fullmatch(value):
        return value
    if "'" not in value:
        return f"'{value}'"
    if not set(value) & set('"\\$`'):
        return f'"{value}"'
    raise InputError(
        f"the value of {name} cannot be written so that every reader takes it alike",
        why="it holds both ' and one of \" \\ $ `",
        next="leave one of them out, or write the file yourself with write_files",
    )
