"""From bare nodes to a swarm that serves, phase by phase; and a node's drain beside Docker's own. Linux, root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import measure
import tools

sys.path.insert(0, str(tools.HERE.parent))
from coreops.providers.namespace.lab import Lab
from tests.lab.swarm import Swarm, eventually

Row = dict[str, Any]
NODES, REPLICAS = 3, 6
BORN = "bare nodes to a swarm of 3 managers with 6 replicas"
DRAIN = "drain of a node whose tasks take 2 s to stop"
SERVICE = "--stop-grace-period 2s"
DEAF = "sh -c 'trap : TERM; while :; do sleep 1; done'"
"""The usual container: its first process does not hear SIGTERM, so it is killed when its time is over."""


def compare(rounds: int) -> list[Row]:
    """One birth, and both drains in turns."""
    folder, name = Path(tempfile.mkdtemp(prefix="coreops-bench-")), f"bench-s{os.getpid()}"
    inventory = folder / "inventories" / name
    rows: list[Row] = []

    def phase(what: str, seconds: float) -> None:
        rows.append({"comparison": BORN, "tool": what, "wall": seconds, "rounds": 1})

    try:
        began = time.perf_counter()
        lab = Lab.up(name, NODES, zones=NODES, inventory_folder=inventory, extra="docker")
        phase("coreops lab up: three nodes to ssh", time.perf_counter() - began)
        (inventory / "more.yml").write_text(json.dumps({"all": {"vars": {"scheduler": "swarm"}}}))
        for what, seconds in _phases(inventory, folder).items():
            phase(f"coreops bootstrap: {what}", seconds)
        swarm = Swarm(lab)
        began = time.perf_counter()
        swarm.load_image()
        phase("the image, to each node", time.perf_counter() - began)
        began = time.perf_counter()
        swarm.serve("bench", REPLICAS, SERVICE, command=DEAF)
        phase("the service: until 6 of 6 run", time.perf_counter() - began)
        rows.append({**rows[0], "tool": "all of it", "wall": sum(row["wall"] for row in rows)})
        rows += _drains(swarm, inventory, folder, rounds)
    finally:
        Lab.down(name)
        shutil.rmtree(folder)
    return rows


def _phases(inventory: Path, folder: Path) -> dict[str, float]:
    """What each phase of bootstrap took, by the clock of whoever reads its events."""
    line = [str(tools.coreops() / "coreops"), "bootstrap", str(inventory), "--json"]
    found: dict[str, float] = {}
    last = time.perf_counter()
    with subprocess.Popen(line, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        for text in process.stdout or ():
            event = json.loads(text)
            if event["event"] == "phase_finished":
                now = time.perf_counter()
                found[event["title"]] = now - last
                last = now
    if process.returncode:
        raise SystemExit(f"bench: coreops bootstrap: exit {process.returncode}")
    return found


def _drains(swarm: Swarm, inventory: Path, folder: Path, rounds: int) -> list[Row]:
    """Each node in its turn; the tasks are spread again in between."""
    coreops, log = str(tools.coreops() / "coreops"), folder / "drain.log"
    running = "docker node ps --filter desired-state=shutdown --format '{{.CurrentState}}' %s | grep -q ^Running"
    ours: list[float] = []
    theirs: list[float] = []

    def by_docker(node: str) -> None:
        drain = f"docker node update --availability drain {node} && while {running % node}; do sleep 0.1; done"
        swarm.sh(next(each for each in swarm.managers if each != node), drain)

    def by_coreops(node: str) -> None:
        measure.run([coreops, "drain", node, "-i", str(inventory)], folder, log)

    for number in range(rounds):
        for node, drain, seconds in (
            (swarm.managers[number % NODES], by_docker, theirs),
            (swarm.managers[(number + 1) % NODES], by_coreops, ours),
        ):
            _spread(swarm)
            seconds.append(_timed(drain, node))
            assert not swarm.containers(node)
            measure.run([coreops, "uncordon", node, "-i", str(inventory)], folder, log)
    return [
        {"comparison": DRAIN, "tool": "docker node update, and waiting", "wall": median(theirs), "rounds": rounds},
        {
            "comparison": DRAIN,
            "tool": "coreops drain",
            "wall": median(ours),
            "of_docker": measure.ratio(theirs, ours),
            "rounds": rounds,
        },
    ]


def _timed(drain: Callable[[str], None], node: str) -> float:
    began = time.perf_counter()
    drain(node)
    return time.perf_counter() - began


def _spread(swarm: Swarm) -> None:
    """Two tasks on each node."""
    swarm.docker("service update --force --detach=false --quiet bench")
    eventually(lambda: len(swarm.running("bench")) == REPLICAS, 120, "all tasks run")
    eventually(lambda: all(swarm.containers(node) for node in swarm.managers), 60, "each node has tasks")
