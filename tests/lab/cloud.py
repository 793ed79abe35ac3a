#!/usr/bin/env python3
"""A provider's program whose machines are the nodes of a lab: argv[0]'s folder has ``lab.json`` with its name.

A lab boots its nodes in a row, so n3 brings n1 and n2 with it; they are nobody's until they are asked for.
"""

import fcntl
import json
import sys
from pathlib import Path

from coreops.providers.namespace.lab import Lab

HERE = Path(__file__).parent
MARKS = HERE / "marks"
NAME = json.loads((HERE / "lab.json").read_text())["name"]


def create(asked: dict) -> object:
    number = int(asked["node"].removeprefix("n"))
    if not any(node.node == asked["node"] for node in nodes()):
        Lab.up(NAME, nodes=number, inventory_folder=HERE / "lab", emit=lambda event: print(event.text, file=sys.stderr))
    (MARKS / asked["node"]).write_text(asked["mark"])
    return {"machine": machine(asked["node"])}


def nodes() -> list:
    return Lab.open(NAME).status() if HERE.joinpath("lab", "hosts.yml").exists() else []


def machine(name: str) -> dict:
    (node,) = [each for each in Lab.open(NAME).status() if each.node == name]
    found = {"node": name, "mark": (MARKS / name).read_text(), "id": f"{NAME}-{name}"}
    state = {"running": "running", "booting": "pending"}.get(node.state, "stopped")
    return {**found, "state": state, "addresses": {"private_ipv4": node.address}}


def observe(asked: dict) -> object:
    return {"machines": [machine(path.name) for path in sorted(MARKS.iterdir())]}


def host_keys(asked: dict) -> object:
    address = machine(asked["node"])["addresses"]["private_ipv4"]
    lines = (line.split() for line in (HERE / "lab" / "known_hosts").read_text().splitlines())
    return {"host_keys": [f"{kind} {key}" for name, kind, key in lines if name == address]}


def destroy(asked: dict) -> object:
    (MARKS / asked["node"]).unlink(missing_ok=True)
    if not list(MARKS.iterdir()):
        Lab.down(NAME)
    return {}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    MARKS.mkdir(exist_ok=True)
    with (HERE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        verbs = {verb.__name__: verb for verb in (create, observe, host_keys, destroy)}
        print(json.dumps({"coreops": 1, **verbs[asked["verb"]](asked)}))
