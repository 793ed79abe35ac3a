"""Runs one command and says what it cost: wall time, CPU time and peak memory of the processes it waited for."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost, in seconds and MiB."""

    wall: float
    cpu: float
    memory: float


def run(
    command: Sequence[str],
    cwd: Path,
    log: Path,
    env: Mapping[str, str] | None = None,
) -> Cost:
    """Run it; its output goes to ``log``. Ends the benchmark when it fails.

    It may keep its bytecode, as installed programs do, whatever this environment says.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as stream:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env={**inherited, **(env or {})}
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = log.read_text(errors="replace")
        raise SystemExit(f"bench: {' '.join(command)}: exit {process.returncode}\n{said[-3000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times longer theirs take: the median over rounds, as what ran side by side had the same machine.

    With one or two rounds of theirs, the medians are compared.
    """
    if len(theirs) < 3:
        return median(theirs) / median(ours)
    return median([each / own for own, each in zip(ours, theirs, strict=False)])
