"""Placing units on machines by the pure function that `scheduler: units` uses. Nothing else is measured with it."""

from __future__ import annotations

import sys
import time
from typing import Any

from measure import median

from coreops.units.placement import Machine, Placement, Wish, place

Row = dict[str, Any]
MACHINES = 1000
UNITS = 10_000


def compare(rounds: int) -> list[Row]:
    """An empty cluster, the same again with everything placed, and one machine that is drained."""
    machines, wishes = _machines(), _wishes()
    first = place(wishes, machines)
    if first.unplaced or len(first.on) != UNITS:
        raise SystemExit(f"bench: {len(first.unplaced)} units were not placed")
    drained = [Machine(name="n0", id=machines[0].id, open=False, keeps=False), *machines[1:]]
    cases: dict[str, tuple[list[Machine], Placement | None]] = {
        "on empty machines": (machines, None),
        "nothing to move": (machines, first),
        "one machine drained": (drained, first),
    }
    return [_row(name, wishes, crowd, before, rounds) for name, (crowd, before) in cases.items()]


def _row(name: str, wishes: list[Wish], machines: list[Machine], before: Placement | None, rounds: int) -> Row:
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        place(wishes, machines, before.on if before else None)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    print(f"bench: placement, {name}: {median(cpus):.2f} s", file=sys.stderr, flush=True)
    title = f"placing {UNITS} units on {MACHINES} machines"
    return {"comparison": title, "tool": name, "wall": median(walls), "cpu": median(cpus), "rounds": rounds}


def _machines() -> list[Machine]:
    labels = [{"zone": "abc"[i % 3], "disk": "hdd" if i % 4 else "ssd"} for i in range(MACHINES)]
    return [Machine(name=f"n{i}", id=f"{i:032x}", metadata=own) for i, own in enumerate(labels)]


def _wishes() -> list[Wish]:
    """Templates that spread, some on fast disks only; their sidekicks; units that fit anywhere; some everywhere."""
    ssd = {"disk": frozenset(["ssd"])}
    found = [
        Wish(name=f"app{a}@{i}.service", conflicts=(f"app{a}@*.service",), metadata={} if a % 5 else ssd)
        for a in range(700)
        for i in range(10)
    ]
    found += [Wish(name=f"side{a}.service", machine_of=(f"app{a % 700}@1.service",)) for a in range(1000)]
    found += [Wish(name=f"all{a}.service", everywhere=True) for a in range(5)]
    return found + [Wish(name=f"any{a}.service") for a in range(UNITS - len(found))]
