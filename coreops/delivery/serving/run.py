"""Serving a render that may be replaced under the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from coreops.delivery.serving.load import Mark, mark
from coreops.serving import run as serving
from coreops.serving.server import Server


def run(
    server: Server, folder: Path, seen: Mark | None, reload: Callable[[bool], None], tell: Callable[[str], None]
) -> None:
    """Serve until SIGINT or SIGTERM. reload: read everything again; True: also what else SIGHUP asks for.

    seen: the folder's mark from before it was read. One that was taken now could be that of a render nobody has read.
    """

    def changed() -> bool:
        nonlocal seen
        now = mark(folder)
        if now in (None, seen):
            return False
        seen = now
        return True

    serving.run(server, reload, tell, changed)
