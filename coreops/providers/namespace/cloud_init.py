"""What cloud-init made of a node's user-data, read from outside: its own result file, and what it complained about.

Knows nothing of the documents; it changes nothing in a node.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coreops.errors import CoreopsError
from coreops.events import Emit, Notice
from coreops.providers.namespace import cgroup, user_data
from coreops.providers.namespace.host import wait_until
from coreops.providers.namespace.names import NodeNames

_COMPLAINT = re.compile(r"^[-0-9]+ [:0-9,]+ - \S+\[(?:WARNING|ERROR|CRITICAL)\]: (.*)$", re.MULTILINE)
_BOOT = "running 'init-local'"
# What ``limits`` has told before.
_HARMLESS = frozenset({"Activate mounts: FAIL:swapon -a"})
_OFF, _RESULT = "run/cloud-init/disabled", "run/cloud-init/result.json"
_LOG, _INSTANCE = "var/log/cloud-init.log", "var/lib/cloud/data/instance-id"
FILES: Final = (_OFF, _RESULT, _LOG, _INSTANCE)
"""What a report is read from, as far as a node has it."""


@dataclass(frozen=True, slots=True)
class Report:
    """How cloud-init ended. errors: why it, or one of its modules, failed. warnings: all else it complained about.

    instance: whose user-data it was, "" if it found none.
    """

    instance: str = ""
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def troubles(self) -> tuple[str, ...]:
        """What the document is to blame for. Empty: all of it was applied."""
        return (*self.errors, *(each for each in self.warnings if each not in _HARMLESS))


def complaints(log: str) -> tuple[str, ...]:
    """The warnings and errors of the last boot in cloud-init.log, each once. Pure."""
    return tuple(dict.fromkeys(_COMPLAINT.findall(log[max(log.rfind(_BOOT), 0) :])))


def report(names: NodeNames) -> Report | None:
    """Read how it ended in the present boot; None while it is at work, or the node is down."""
    pid = cgroup.init_process(names.cgroup)
    if pid is None:
        return None
    files = {}
    for name in FILES:
        with suppress(OSError):  # not there yet, or the node has just gone down
            files[name] = Path(f"/proc/{pid}/root", name).read_text(errors="replace")
    return read(files)


def read(files: Mapping[str, str]) -> Report | None:
    """Read how it ended from those of ``FILES`` that a node has; None while they are not all there. Pure."""
    if _OFF in files:
        return Report(errors=("cloud-init did not run",))
    try:
        result, log, instance = json.loads(files[_RESULT])["v1"], files[_LOG], files[_INSTANCE].strip()
    except (KeyError, ValueError):
        return None  # or half written
    if "NoCloud" not in (result["datasource"] or ""):
        return Report(errors=(f"cloud-init did not find its user-data; it took {result['datasource']}",))
    return Report(instance, tuple(map(str, result["errors"])), complaints(log))


def wait(nodes: Sequence[NodeNames], look: Callable[[NodeNames], Report | None], timeout: float, emit: Emit) -> None:
    """Wait until cloud-init is done on every node. Raises CoreopsError if it did not take all of the user-data.

    look: what a node's cloud-init says so far, as ``report`` finds it.
    """
    troubles = []
    for names in nodes:
        found = _ended(names, look, timeout)
        if found.instance not in ("", user_data.instance(names)):
            # What became of the older user-data is old news.
            emit(Notice(f"has other user-data now; it counts from the next boot on: {_reboot(names)}", host=names.node))
            continue
        if found.troubles:
            troubles.append((names, found.troubles))
        else:
            emit(Notice("cloud-init has applied its user-data", host=names.node))
    if troubles:
        first, lab = troubles[0][0].node, troubles[0][0].lab.lab
        raise CoreopsError(
            "cloud-init could not apply all of the user-data",
            where=", ".join(names.node for names, _ in troubles),
            why="\n".join(f"{names.node}: {text}" for names, texts in troubles for text in texts),
            next=f"coreops lab ssh {first} --name {lab} -- sudo cloud-init schema --system; coreops lab logs {first}"
            f" --name {lab}; then render again, lab up --user-data again, and {_reboot(troubles[0][0])}",
        )


def _ended(names: NodeNames, look: Callable[[NodeNames], Report | None], timeout: float) -> Report:
    found: list[Report] = []

    def done() -> bool:
        if told := look(names):
            found.append(told)
        return bool(found)

    if not wait_until(done, timeout, interval=0.1):
        raise CoreopsError(
            f"cloud-init was not done within {timeout:g} s",
            where=names.node,
            next=f"coreops lab ssh {names.node} --name {names.lab.lab} -- cloud-init status --long",
        )
    return found[0]


def _reboot(names: NodeNames) -> str:
    return f"coreops lab chaos {names.node} reboot --name {names.lab.lab}"
