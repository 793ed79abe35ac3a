#!/usr/bin/env python3
"""How fast a rollout over many nodes is simulated, and that it grows linearly: one coordinator, no faults."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coreops.upgrade.plan import NodePlan, Plan, Policy
from coreops.upgrade.rehearse import rehearse
from coreops.upgrade.rehearse.faults import Profile

SIZES = (1000, 2000, 5000, 10000)
QUIET = Profile((), (0,))


def plan(nodes: int) -> Plan:
    """Ten zones, five members of the store, one canary."""
    names = tuple(
        NodePlan(name=f"node-{i:05}", zone=f"zone-{10 * i // nodes}", member=i >= nodes - 5, canary=i == 0)
        for i in range(nodes)
    )
    policy = Policy(max_unavailable=max(1, nodes // 100))
    return Plan(run="bench", version="1.1.0", sha256="0" * 64, nodes=names, policy=policy)


def measure(nodes: int) -> dict[str, float]:
    """CPU and wall seconds of one simulated rollout."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = rehearse(plan(nodes), runs=1, profile=QUIET)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if found.broken:
        raise SystemExit(found.broken[0].broken)
    return {"nodes": nodes, "cpu": round(cpu, 2), "wall": round(wall, 2), "per_node_ms": round(1000 * cpu / nodes, 3)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    rows = [measure(nodes) for nodes in options.nodes]
    if options.json:
        print(json.dumps(rows))
        return 0
    print(f"{'nodes':>7} {'CPU s':>7} {'wall s':>7} {'ms a node':>10}")
    for row in rows:
        print(f"{row['nodes']:>7} {row['cpu']:>7} {row['wall']:>7} {row['per_node_ms']:>10}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
