"""ANSI colours for lines of text, and the rules when to use them. Knows nothing of events."""

from __future__ import annotations

import os
from typing import Final, TextIO

from coreops.frozen import frozen

_CODES: Final = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}

# One colour for each state of a task or a host, everywhere.
STATE_COLORS: Final = {
    "ok": "green",
    "done": "green",
    "changed": "yellow",
    "would change": "yellow",
    "failed": "red",
    "unreachable": "red",
    "interrupted": "red",
    "skipped": "cyan",
    "ignored": "cyan",
    "waiting": "dim",
    "connecting": "cyan",
    "running": "cyan",
}


@frozen
class Style:
    """Paints text, or leaves it alone."""

    enabled: bool = False

    def paint(self, color: str, text: str) -> str:
        """Return text in a colour (a name of this module, "" for none)."""
        code = _CODES.get(color)
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and code and text else text

    def state(self, state: str, text: str | None = None) -> str:
        """Return a state's name (or another text) in the state's colour."""
        return self.paint(STATE_COLORS.get(state, ""), state if text is None else text)

    def diff(self, text: str) -> str:
        """Return a unified diff in colours. The text must be clean already."""
        return "\n".join(self.paint(_diff_color(line), line) for line in text.splitlines())


def _diff_color(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands cursor movement."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def wants_color(stream: TextIO) -> bool:
    """Whether to colour a stream: NO_COLOR beats FORCE_COLOR beats what the stream is."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)
