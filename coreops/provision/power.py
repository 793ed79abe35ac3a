"""Switches one machine, and waits until its provider says so. What it is reached by may change meanwhile."""

from __future__ import annotations

import time
from typing import Final

from coreops.errors import CoreopsError
from coreops.providers.protocol import Machine, MachineState, Power
from coreops.provision.book import Book
from coreops.provision.create import Reached
from coreops.provision.outcome import Outcome
from coreops.provision.share import Share

WAIT: Final = 300.0
_PAUSE: Final = 1.0
_UNTIL: Final[dict[Power, MachineState]] = {"on": "running", "off": "stopped", "reset": "running"}


def switch(share: Share, machine: Machine, power: Power, book: Book, reached: Reached, wait: float = WAIT) -> Outcome:
    """Switch a machine and keep its new addresses, with the keys that it had. Raises CoreopsError."""
    share.provider.power(machine, power)
    deadline = time.monotonic() + wait
    while True:
        now = next((each for each in share.provider.observe(share.cluster) if each.id == machine.id), None)
        if now is None:
            raise CoreopsError("the provider no longer lists it", where=machine.node, next="coreops plan shows what is")
        if now.state == _UNTIL[power] and (now.addresses or power == "off"):
            break
        if time.monotonic() >= deadline:
            raise CoreopsError(
                f"not {_UNTIL[power]} after {wait:g} s", where=machine.node, why=f"it is {now.state}", next="look again"
            )
        time.sleep(min(_PAUSE, max(deadline - time.monotonic(), 0)))
    if power != "off":
        book.learn(share.provider.name, share.cluster, now, book.keys(now), reached(now.node))
        book.flush()
    return Outcome(now.node, power, now)
