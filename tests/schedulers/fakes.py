"""An engine whose hosts are those of a toy world: talks go to the toy, all other steps to a shell of this machine."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from coreops.engine.engine import HostOutcome
from coreops.engine.steps import StepsProgram
from coreops.errors import CoreopsError, InterruptedRun, UnreachableError
from coreops.model import Record, ShellStep
from tests.schedulers.toy import ToyWorld


class ToyEngine:
    """As much of ``engine.Engine`` as hands use. root: where the files of the hosts are, ``root/HOST/etc/...``. down:
    hosts that cannot be reached. on_step: sees each step first.
    """

    forks = 8

    def __init__(self, world: ToyWorld, root: Path = Path("/nowhere")) -> None:
        self.world = world
        self.root = root
        self.targets: dict[str, Any] = dict.fromkeys(world.scheduler.cluster.names)
        self.interrupted = False
        self.down: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.on_step: Callable[[str, ShellStep], None] = lambda host, step: None
        self._lock = threading.Lock()

    def drive(self, programs: Mapping[str, StepsProgram]) -> dict[str, HostOutcome]:
        with self._lock:
            return {host: self._drive(host, program) for host, program in programs.items()}

    def _drive(self, host: str, program: StepsProgram) -> HostOutcome:
        error: CoreopsError | None = None
        if self.interrupted:
            error = InterruptedRun("stopped by the operator", where=host)
            return HostOutcome("interrupted", error)
        if host in self.down:
            error = UnreachableError("tcp", "cannot connect", where=host)
            return HostOutcome("unreachable", error)
        while (segment := program.next()) is not None:
            for step in segment.steps:
                assert isinstance(step, ShellStep)
                self.asked.append((host, step.title))
                self.on_step(host, step)
                program.feed(self.world.run(host, step) if "TOY" in step.env else run_here(step, self.root / host))
        return HostOutcome("done", None, 1)

    def disconnect(self, host: str) -> None:
        """Nothing is connected."""

    def stop(self) -> None:
        self.interrupted = True

    abort = stop

    def close(self) -> None:
        """Nothing is open."""


def run_here(step: ShellStep, root: Path) -> Record:
    """A step in a shell of this machine; $FILE lies below ``root``."""
    if "FILE" in step.env:
        step = replace(step, env={**step.env, "FILE": f"{root}{step.env['FILE']}"})
    if step.probe is not None:
        done = _sh(step.probe, step)
        if done.returncode == 0 or step.act is None or done.returncode != 1:
            state = "ok" if done.returncode == 0 else "failed"
            return Record(step.id, state, done.returncode, done.stdout, done.stderr)  # type: ignore[arg-type]
    done = _sh(step.act or ":", step)
    state = "failed" if done.returncode else "changed" if step.changes else "ok"
    return Record(step.id, state, done.returncode, done.stdout, done.stderr)  # type: ignore[arg-type]


def _sh(script: str, step: ShellStep) -> subprocess.CompletedProcess[bytes]:
    env = {"PATH": os.environ["PATH"], **step.env}
    return subprocess.run(["sh", "-c", script], env=env, capture_output=True, stdin=subprocess.DEVNULL, check=False)
