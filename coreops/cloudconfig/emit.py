"""Plain data to YAML text that YAML 1.1 and 1.2 readers understand alike. Knows no target.

Text is plain only where no reader can take it for anything else; else it is quoted, or a block where it has lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLAIN = re.compile(r"(?!-)[A-Za-z_/][A-Za-z0-9_./@+-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_BLOCK = re.compile("[\n\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def emit(value: Mapping[str, Any]) -> str:
    """Return a mapping of str, bool, int, float, mappings and lists as YAML, keys in the order given."""
    return "".join(f"{line}\n" for line in _mapping(value, 0)) or "{}\n"


def _mapping(value: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, each in value.items():
        yield from _entry(f"{' ' * indent}{scalar(key)}:", each, indent)


def _entry(head: str, value: Any, indent: int) -> Iterator[str]:
    # Most values are text; asking whether one is a Mapping is slow.
    if isinstance(value, str):
        yield from _block(head, value, indent + 2) if _is_block(value) else (f"{head} {scalar(value)}",)
    elif isinstance(value, list | tuple) and value:
        yield head
        for item in value:
            yield from _item(item, indent + 2)
    elif isinstance(value, Mapping) and value:
        yield head
        yield from _mapping(value, indent + 2)
    else:
        yield f"{head} {scalar(value)}"


def _item(value: Any, indent: int) -> Iterator[str]:
    dash = f"{' ' * indent}-"
    if not isinstance(value, str) and isinstance(value, Mapping) and value:
        first, *rest = _mapping(value, indent + 2)
        yield f"{dash} {first[indent + 2 :]}"
        yield from rest
    else:
        yield from _entry(dash, value, indent)


def _is_block(text: str) -> bool:
    return "\n" in text and text[0] not in " \t\n" and _BLOCK.fullmatch(text) is not None


def _block(head: str, text: str, indent: int) -> Iterator[str]:
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    yield f"{head} |{'-' if not ends else '' if ends == 1 else '+'}"
    for line in [*body.split("\n"), *[""] * (ends - 1)]:
        yield " " * indent + line if line else ""


def scalar(value: Any) -> str:
    """One value on one line."""
    if not isinstance(value, str):
        return _plain_scalar(value)
    text = value
    if not text.isascii() and any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise ValueError("the text is not Unicode")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if not _needs_escapes(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escape(c) for c in text) + '"'


def _plain_scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # YAML 1.1 wants a point before an exponent.
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return str(value) if isinstance(value, int) else scalar(str(value))


def _needs_escapes(text: str) -> bool:
    return "\n" in text or not (text == "" or _BLOCK.fullmatch(text))


def kept_raw(text: str) -> bool:
    """Does the text stand in the document letter by letter (but for doubled single quotes)?"""
    return _is_block(text) or not _needs_escapes(text)


def _escape(char: str) -> str:
    known = _ESCAPES.get(char)
    if known is not None:
        return known
    code = ord(char)
    if " " <= char <= "~":
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
