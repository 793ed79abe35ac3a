"""How many hosts fit into the window of this controller."""

from __future__ import annotations

import resource

_MOST = 256
_RESERVED = 64
_PER_HOST = 4  # a socket, a jump channel, pipes of a child


def default_forks() -> int:
    """Raise the soft limit of open files to the hard one; return how many hosts that allows, at most 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):
            pass  # some systems refuse "unlimited"; the soft limit stands
    if soft == resource.RLIM_INFINITY:
        return _MOST
    return max(1, min(_MOST, (soft - _RESERVED) // _PER_HOST))
