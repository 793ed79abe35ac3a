"""What a task writes for an argument -> a value of one type. Pure functions; each raises ValueError.

YAML and templates decide what a task's value is; so a number is taken as a text, and ``yes`` and ``'5'`` as what they
mean. A message never repeats a value of a plain type: it may be a secret.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from coreops.modules.declared import Reader
from coreops.modules.mode import parse_mode

T = TypeVar("T")

_TRUE = ("1", "on", "t", "true", "y", "yes")
_FALSE = ("0", "off", "f", "false", "n", "no")
_WHOLE = re.compile(r"[-+]?[0-9]+(\.0*)?", re.ASCII)


def _anything(value: object) -> Any:
    return value


def _boolean(value: object) -> bool:
    word = str(value).lower() if isinstance(value, str) else None
    if value in (0, 1) and isinstance(value, (bool, int, float)):
        return bool(value)
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("must be true or false")


def integer(at_least: int | None = None, at_most: int | None = None) -> Reader[int]:
    """A whole number within bounds."""

    def read(value: object) -> int:
        if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
            number = int(value.strip().partition(".")[0])
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0:
            number = int(value)
        else:
            raise ValueError("must be a whole number")
        if at_least is not None and number < at_least:
            raise ValueError(f"must be at least {at_least}")
        if at_most is not None and number > at_most:
            raise ValueError(f"must be at most {at_most}")
        return number

    return Reader("number", read)


def number(above: float | None = None) -> Reader[float]:
    """A number, greater than ``above``."""

    def read(value: object) -> float:
        try:
            found = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            found = math.nan
        if not math.isfinite(found):
            raise ValueError("must be a number")
        if above is not None and found <= above:
            raise ValueError(f"must be greater than {above:g}")
        return found

    return Reader("number", read)


def choice(*words: str) -> Reader[str]:
    """One of these words."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise ValueError(f"must be {'one of ' if len(words) > 1 else ''}{', '.join(map(repr, words))}")

    return Reader(", ".join(f"`{word}`" for word in dict.fromkeys(repr(word)[1:-1] for word in words)), read)


def _plain_text(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError("must be a text; put it in quotes")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be a text, and holds bytes that are not UTF-8") from None
    return value


def _text(value: object) -> str:
    value = _plain_text(value)
    if "\0" in value:
        raise ValueError("holds a NUL byte, which no shell can carry")
    return value


def _node_path(value: object) -> str:
    path = _plain_text(value)
    if "\0" in path:
        raise ValueError("a path cannot hold a NUL byte")
    if not path.startswith("/"):
        hint = "write the home folder out" if path.startswith("~") else "there is no current folder on a node"
        raise ValueError(f"{path!r} is not an absolute path ({hint})")
    slash = "/" if path.endswith("/") and path.strip("/") else ""
    return posixpath.normpath(path).replace("//", "/", 1) + slash


def _name(value: object) -> str:
    word = _plain_text(value)
    if not word or word.startswith("-") or any(c.isspace() or c in ":,/\0" or not c.isprintable() for c in word):
        raise ValueError(f"{word!r} is not a name: no blanks, colons, commas or slashes, no - at the start")
    return word


def _mapping(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError("must be a mapping")
    return {_plain_text(key): _plain_text(one) for key, one in value.items()}


def several(reader: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list of what ``reader`` reads."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise ValueError("must be a list")
        return tuple(reader.read(one) for one in value)

    return Reader("list", read)


def _separated(value: object) -> object:
    """Ansible takes ``a,b`` for a list, and one thing for a list of it."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


anything = Reader("anything", _anything)
boolean = Reader("yes/no", _boolean)
file_mode = Reader("mode", parse_mode)
mapping = Reader("mapping", _mapping)
# A text for content; it may hold NUL bytes, so it never goes to a shell.
plain_text = Reader("text", _plain_text)
# A text that a shell can carry.
text = Reader("text", _text)
# An absolute path on a node, without `..` and doubled slashes; a slash at the end stays.
node_path = Reader("text", _node_path)
# The name of an account or a group.
name = Reader("text", _name)
texts = several(text)
words = texts.after(_separated)
names = several(name).after(_separated)
