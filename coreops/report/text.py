"""Makes text from nodes, files and other programs safe to show: no byte of it can steer a terminal.

Pure. Control characters (but newline and tab), escape sequences, bidirectional overrides, and lone surrogates (bytes
that were not UTF-8) become visible escapes.
"""

from __future__ import annotations

import re

_HOSTILE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1 (8-bit CSI)
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # invisible, line separators, direction overrides
    "\ud800-\udfff]"  # lone surrogates would raise at the terminal's encoder
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: the byte it stands for
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def clean(value: object) -> str:
    """Return text that is safe for a terminal; newlines and tabs stay, and CRLF counts as a newline."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, (bytes, bytearray)) else str(value)
    return _HOSTILE.sub(_escape, text.replace("\r\n", "\n"))


def one_line(value: object, width: int | None = None) -> str:
    """Return clean text on one line (the first that says anything), cut to ``width`` characters."""
    lines = [line.strip() for line in clean(value).expandtabs(4).splitlines()]
    line = next((line for line in lines if line), "")
    return line if width is None or len(line) <= width else line[: max(width - 1, 0)] + "…"


def name_list(names: list[str] | tuple[str, ...], shown: int = 3) -> str:
    """``n1, n2, n3, +34``."""
    head = ", ".join(clean(name) for name in names[:shown])
    return head if len(names) <= shown else f"{head}, +{len(names) - shown}"


def seconds(value: float) -> str:
    """``0.8 s``, ``42 s``, ``3 min 05 s``."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 90:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"
