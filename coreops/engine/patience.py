"""How long the engine waits for what, in seconds. Every wait of the engine is named here."""

from __future__ import annotations

import time

from coreops.errors import UnreachableKind
from coreops.model import Segment, ShellStep
from coreops.shell.frames import Begun, Message, Need

FIRST_ANSWER = 60.0
"""From sending a segment to its first mark; a loaded node needs a moment to fork."""

SILENCE = 10.0
"""Without a byte for this long, the SSH layer is asked for a sign of life ..."""

ALIVE = 10.0
"""... which must come within this time, or the connection counts as lost."""

RECONNECT = 60.0
"""How long to try to reach a host again after its connection was lost."""

GRACE = 20.0
"""What a step gets beyond its own timeout, which the node enforces, before the controller gives up."""

BETWEEN = 600.0
"""The longest time between two marks outside of a probe or act: file work, a transfer on the node's side."""

FINAL: frozenset[UnreachableKind] = frozenset({"dns", "host key", "auth", "sudo", "shell", "timeout"})
"""Failures that trying again does not mend."""


def for_message(message: Message, segment: Segment) -> float:
    """How long the next message may take after this one."""
    if isinstance(message, Begun):
        step = segment.steps[message.index - 1]
        if isinstance(step, ShellStep):
            return step.timeout + GRACE
    if isinstance(message, Need):
        return BETWEEN + sum(_bytes(segment, index) for index in message.indexes) / 100_000
    return BETWEEN


def _bytes(segment: Segment, index: int) -> int:
    step = segment.steps[index - 1]
    blobs = (*step.blobs, step.stdin) if isinstance(step, ShellStep) else (step.content,)
    return sum(blob.size for blob in blobs if blob is not None)


def pause(seconds: float) -> None:
    """Wait before the next attempt."""
    time.sleep(seconds)
