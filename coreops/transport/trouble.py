"""What goes wrong on a link, before it is a failure of a host; without a library, so that dialling needs none."""

from __future__ import annotations

# Seconds a peer may pause in the middle of a packet, or take no more bytes.
STALL = 20.0


class LinkDown(Exception):
    """The connection is gone; ``args[0]`` is the reason."""


class Late(Exception):
    """The peer did not do its part in time; ``args[0]`` names the part. (Not TimeoutError: that is an OSError.)"""


class NotAllowed(Exception):
    """No key was accepted; ``args[0]`` may say more."""


class Stalled(EOFError):
    """The peer stopped in the middle of a packet, or takes no more bytes."""
