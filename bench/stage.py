"""Stages an image as a rollout does and says where the time went: ``stage.py INVENTORY VERSION HOST [TRANSPORT]``.

Driver, connection and cluster code are coreops's own; only the clock around the records is ours. Prints JSON: seconds
to connect and look, to write, and to read the slot back, and the bytes that travelled.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from coreops.model import Record, Segment
from coreops.upgrade.channel.reader import open_channel
from coreops.upgrade.cluster.nodes import Nodes
from coreops.upgrade.guard import Guard
from coreops.upgrade.planning import fleet, settings
from coreops.upgrade.slots.stream import DONE, LOOK, StageProgram
from coreops.upgrade.slots.usr import driver


class Timed:
    """A StageProgram that notes when each record came."""

    failed_fatally = False

    def __init__(self, inner: StageProgram) -> None:
        self._inner = inner
        self.came: list[tuple[str, float]] = []

    @property
    def failure(self) -> str | None:
        """As the program says."""
        return self._inner.failure

    def next(self) -> Segment | None:
        return self._inner.next()

    def feed(self, record: Record) -> None:
        self.came.append((record.step, time.perf_counter()))
        self._inner.feed(record)

    def abandon(self) -> None:
        self._inner.abandon()


def main(inventory: str, version: str, host: str, transport: str = "paramiko") -> int:
    found = fleet.read(Path(inventory), host, {"transport": transport})
    wanted = settings.read(found.inventory, found.chosen)
    assert wanted.repository
    assert wanted.root
    repository = open_channel(wanted.repository, wanted.root)
    release = repository.version(version, repository.boards()[0])
    program = StageProgram(release, repository.image(release), Guard(), lambda done, total: None)
    timed = Timed(program)
    nodes = Nodes(found.targets, lambda event: None, run="bench")
    try:
        nodes.ask(host, [driver().survey()])  # as before every staging; the connection is open then
        began = time.perf_counter()
        nodes.run(host, timed)
    finally:
        nodes.close()
    came = dict(timed.came)
    written = [moment for step, moment in timed.came if step not in (LOOK, DONE)]
    if not written:
        raise SystemExit(f"bench: {version} was on {host} already")
    told = {
        "look": came[LOOK] - began,
        "write": written[-1] - came[LOOK],
        "read_back": came[DONE] - written[-1],
        "bytes": release.size,
    }
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
