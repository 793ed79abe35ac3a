"""How the body of a request travels to the node that sends it: in the variable BODY of its step, or, when that is too
long for one variable of a process's environment, as the step's first blob, which a script finds in ``$blob1``. Pure.
"""

from __future__ import annotations

from coreops.model import Blob

_MOST = 100_000
"""Linux takes 128 KiB in one variable; what is larger costs another exchange."""


def travel(text: str) -> tuple[str, tuple[Blob, ...]]:
    """BODY, and the blobs: one of both has it."""
    data = text.encode()
    return (text, ()) if len(data) <= _MOST else ("", (Blob.of(data),))
