"""What an upgrade costs beside what nobody can save: the nodes' own reboots, and what ssh moves. Returns rows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import tools
from comparisons import Row, say
from measure import median
from upgrade_lab import IMAGE_MIB, SOAK, UpgradeLab, Watch, seconds

ROLLOUT = "@rollout"
_MIB = 1 << 20


def compare(rounds: int) -> list[Row]:
    """All of it, in one lab."""
    lab = UpgradeLab()
    try:
        return [*_overhead(lab, rounds), *_streaming(lab, rounds), *_memory(lab)]
    finally:
        lab.close()


def _overhead(lab: UpgradeLab, rounds: int) -> list[Row]:
    """Rollouts there and back. A node's own time lasts from the accepted reboot until sshd and etcd answer."""
    costs: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        version = ("1.1.0", "1.0.0")[number % 2]
        with Watch(lab) as watch:
            cost = lab.coreops("upgrade", str(lab.inventory), "--version", version, "--allow-downgrade", "--yes")
        turns, rest = read(lab.newest_run(), cost.wall, watch)
        for turn in turns:
            for name, value in {**turn, "around": rest / len(turns)}.items():
                costs[name].append(value)
            costs["overhead"].append(turn["turn"] - turn["own"] - SOAK + rest / len(turns))
            told = {**turn, "around": rest, "overhead": costs["overhead"][-1]}
            say(f"upgrade to {version}: {', '.join(f'{name} {value:.2f}' for name, value in told.items())}")
    title = f"upgrade of 3 nodes, soak {SOAK:g} s, a node"
    count = {"rounds": rounds}
    names = {
        "overhead": "overhead: all but the next two, and staging",
        "own": "its own reboot: until sshd and etcd answer",
        "around": "overhead: start, plan and end of the run, its share",
        "turn": "a node's turn, lease to release",
    }
    rows = [{"comparison": title, "tool": name, "wall": median(costs[key]), **count} for key, name in names.items()]
    rows.insert(2, {"comparison": title, "tool": "soak, as asked for", "wall": SOAK, **count})
    shown = sorted((key for key in costs if key not in names), key=lambda key: -median(costs[key]))
    return rows + [{"comparison": title, "tool": f"phase {key}", "wall": median(costs[key]), **count} for key in shown]


def read(log: Path, wall: float, watch: Watch) -> tuple[list[dict[str, float]], float]:
    """Every node's turn, split by phase, and what of the wall time was neither a turn nor staging."""
    begun: dict[int, tuple[str, str, float]] = {}
    done: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        moment = datetime.fromisoformat(entry["time"]).timestamp()
        if "do" in entry:
            begun[entry["do"]["serial"]] = (entry["do"]["node"], entry["do"]["action"], moment)
        for answer in (entry[kind] for kind in ("did", "failed") if kind in entry):
            node, action, since = begun[answer["serial"]]
            done[node].append((action, since, moment))
    turns = [_turn(node, spans, watch) for node, spans in done.items() if node != ROLLOUT]
    staging = [span for spans in done.values() for span in spans if span[0] == "stage"]
    first = min(since for spans in done.values() for action, since, _ in spans if action == "gate")
    staged = max(0.0, first - min(since for _, since, _ in staging)) if staging else 0.0
    return turns, wall - staged - sum(turn["turn"] for turn in turns)


def _turn(node: str, spans: list[tuple[str, float, float]], watch: Watch) -> dict[str, float]:
    begin = next(since for action, since, _ in spans if action == "lease")
    end = next(until for action, _, until in spans if action == "release")
    rebooted = next(until for action, _, until in spans if action == "reboot")
    well = watch.well_again(node, rebooted)
    told: dict[str, float] = {"turn": end - begin, "own": well - rebooted}
    before, after = ("lease", "gate", "move_leader", "drain", "activate", "reboot"), ("mark_good", "undrain", "release")
    for action in (*before, *after):
        told[action] = sum(until - since for name, since, until in spans if name == action)
    checks = [(since, until) for action, since, until in spans if action == "check"]
    seen = max(until for action, _, until in spans if action == "survey" and until <= checks[0][0])
    told["until it is looked at again"] = max(0.0, seen - well)
    told["checks, beyond the soak"] = checks[-1][1] - max(seen, well) - SOAK
    told["between actions"] = told["turn"] - (seen - rebooted) - (checks[-1][1] - seen)
    told["between actions"] -= sum(told[action] for action in (*before, *after))
    return told


def _streaming(lab: UpgradeLab, rounds: int) -> list[Row]:
    """One image to one node: staging beside ``ssh node 'cat >/dev/null'``, in turn; ssh's connecting is not counted."""
    rates: dict[str, list[float]] = defaultdict(list)
    ciphers = {"ssh, cat >/dev/null": "", "ssh, the same with aes128-gcm": "aes128-gcm@openssh.com"}
    for number in range(max(rounds, 5)):
        version = ("9.0.1", "9.0.2")[number % 2]
        for name, cipher in ciphers.items():
            idle = seconds(lab.ssh("n1", "true", cipher=cipher))
            took = seconds(lab.ssh("n1", "cat >/dev/null", cipher=cipher), lab.noise) - idle
            rates[name].append(IMAGE_MIB / took)
        told = _stage(lab, version)
        size = told["bytes"] / _MIB
        rates["coreops, sent and written"].append(size / told["write"])
        rates["coreops, all of staging"].append(size / (told["look"] + told["write"] + told["read_back"]))
        say(f"{IMAGE_MIB} MiB to one node: {', '.join(f'{name} {rate[-1]:.0f} MiB/s' for name, rate in rates.items())}")
    base = rates["ssh, cat >/dev/null"]
    title = f"streaming {IMAGE_MIB} MiB to one node"
    return [
        {
            "comparison": title,
            "tool": name,
            "rate": median(found),
            "of_ssh": median([mine / ssh for mine, ssh in zip(found, base, strict=True)]),
            "rounds": len(found),
        }
        for name, found in rates.items()
    ]


def _stage(lab: UpgradeLab, version: str) -> dict[str, Any]:
    """Run stage.py, which says where its time went."""
    command = [str(tools.coreops() / "python"), str(tools.HERE / "stage.py"), str(lab.inventory), version, "n1"]
    done = subprocess.run(command, cwd=lab.folder, check=False, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"bench: stage.py: exit {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _memory(lab: UpgradeLab) -> list[Row]:
    """The whole controller while it stages to all nodes at once."""
    inventory, version = str(lab.inventory), "9.0.1"
    _stage(lab, "9.0.2")  # so that nobody has it
    cost = lab.coreops("upgrade", inventory, "--version", version, "--stage-only", "--yes")
    say(f"{IMAGE_MIB} MiB to 3 nodes: {cost.wall:.1f} s, {cost.memory:.0f} MiB")
    row = {"wall": cost.wall, "cpu": cost.cpu, "memory": cost.memory, "rounds": 1}
    return [{"comparison": f"staging {IMAGE_MIB} MiB to 3 nodes", "tool": "coreops upgrade --stage-only", **row}]
