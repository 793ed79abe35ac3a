"""Small texts travel as sh: the node's shell writes them itself, without a program for each. Pure.

The rest travels as it is, after the texts, in the order the node asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from coreops.model import Blob
from coreops.shell.quote import q

MAX_TEXT = 32 * 1024
MAX_TEXTS = 256 * 1024


def inline(wanted: Sequence[tuple[int, Blob]]) -> tuple[bytes, frozenset[int]]:
    """(the answer to ``co_texts``: a line with the number of bytes, then calls of ``co_text``; the steps it serves)."""
    calls: dict[int, bytes] = {}
    room = MAX_TEXTS
    for index, blob in wanted:
        text = _text(blob) if blob.size <= min(room, MAX_TEXT) else None
        if text is not None:
            room -= blob.size
            calls[index] = f"co_text {index} {q(text)}\n".encode()
    body = b"".join(calls.values())
    return b"%d\n%b" % (len(body), body), frozenset(calls)


def _text(blob: Blob) -> str | None:
    """The content when a shell variable can hold it: no NUL, valid UTF-8, not empty (which stands for "raw")."""
    if not blob.data or b"\0" in blob.data:
        return None
    try:
        return blob.data.decode()
    except UnicodeDecodeError:
        return None
