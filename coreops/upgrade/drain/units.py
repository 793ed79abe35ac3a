"""The drain for plain systemd: stops the workload units that run, and starts exactly those again. Pure.

No pattern is the adapter "none": there is nothing to stop, and the node still knows that it was drained. What happens
on the node, and in which order, is in ``units.sh``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from coreops.errors import InputError, did_you_mean
from coreops.model import Record, ShellStep
from coreops.upgrade.drain.protocol import Drained
from coreops.upgrade.guard import FOLDER, Guard, guarded

_SCRIPT = Path(__file__).with_name("units.sh")
_PATTERN = re.compile(r"[A-Za-z0-9:_.\\@*?\[][A-Za-z0-9:_.\\@*?\[\]!-]*\.(service|socket|timer|path)", re.ASCII)
_NEEDED = ("sshd.service", "ssh.service", "dbus.service", "systemd-journald.service", "etcd.service")
_MARGIN = 30.0


@dataclass(frozen=True, slots=True)
class Units:
    """patterns: as systemctl takes them. folder, system: where the node keeps its memory and its drop-ins."""

    patterns: tuple[str, ...] = ()
    folder: str = FOLDER
    system: str = "/etc/systemd/system"

    def cordon(self, guard: Guard) -> Sequence[ShellStep]:
        """Remember what runs, and keep it from being started, in this boot and in the next ones."""
        return [self._step("cordon", "keep the workload from starting", guard)]

    def drain(self, guard: Guard, patience: float) -> Sequence[ShellStep]:
        """Stop what runs, each with its own stop timeout."""
        return [self._step("drain", "stop the workload", guard, patience)]

    def drained(self) -> ShellStep:
        """Ask what is left."""
        script = _SCRIPT.read_text(encoding="utf-8") + "\nleft\n"
        return ShellStep(id="drained", title="look at the workload", probe=script, env=self._env(0), timeout=60.0)

    def read(self, record: Record) -> Drained:
        """The answer."""
        if record.state != "ok":
            return Drained(error=record.stderr.decode("utf-8", errors="replace").strip() or f"exit {record.rc}")
        return Drained(tuple(record.stdout.decode("utf-8", errors="replace").splitlines()))

    def uncordon(self, guard: Guard, patience: float) -> Sequence[ShellStep]:
        """Start what was stopped and wait until it has started, whatever the patterns say by now."""
        return [self._step("uncordon", "start the workload again", guard, patience)]

    def covers(self, unit: str) -> bool:
        """Does a pattern name this unit?"""
        return any(fnmatchcase(unit, pattern) for pattern in self.patterns)

    def _step(self, function: str, title: str, guard: Guard, patience: float = 0.0) -> ShellStep:
        script = guarded(_SCRIPT.read_text(encoding="utf-8") + f"\n{function}\n", guard)
        return ShellStep(id=function, title=title, act=script, env=self._env(patience), timeout=patience + _MARGIN)

    def _env(self, patience: float) -> dict[str, str]:
        return {
            "PATTERNS": " ".join(self.patterns),
            "FOLDER": self.folder,
            "SYSTEM": self.system,
            "PATIENCE": str(int(patience)),
        }


def parse(value: object, where: object = None) -> Units:
    """Read ``upgrade_drain``: ``none``, or ``units`` with a list of patterns. Raises InputError."""
    if value is None or value == "none":
        return Units()
    if not isinstance(value, Mapping):
        next_ = 'write none, or {units: ["app-*.service"]}'
        raise InputError("upgrade_drain is not usable", where=where, why=f"found {value!r:.80}", next=next_)
    for key in value:
        if key != "units":
            hint = did_you_mean(str(key), ["units"]) or "known: units"
            raise InputError(f"upgrade_drain has no {key!r}", where=where, next=hint)
    patterns = value.get("units")
    if not isinstance(patterns, list):
        raise InputError("upgrade_drain: units must be a list of patterns", where=where, why=f"found {patterns!r:.80}")
    return Units(tuple(_pattern(each, where) for each in patterns))


def _pattern(value: object, where: object) -> str:
    if not isinstance(value, str) or not _PATTERN.fullmatch(value):
        raise InputError(
            f"upgrade_drain: {value!r:.80} is not a pattern of units",
            where=where,
            why="it must end in .service, .socket, .timer or .path",
            next='write it like "app-*.service"',
        )
    for unit in _NEEDED:
        if fnmatchcase(unit, value):
            raise InputError(
                f"upgrade_drain: {value!r} would stop {unit}",
                where=where,
                why="coreops needs it to do the upgrade",
                next="name the workload more narrowly",
            )
    return value
