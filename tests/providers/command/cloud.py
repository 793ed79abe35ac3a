#!/usr/bin/env python3
"""A cloud of files for tests of the provider ``command``: a machine is DIR/MARK.json, and faults are in DIR/faults.

DIR is ``cloud`` in the folder it runs in.
"""

import base64
import fcntl
import json
import os
import sys
import time
from pathlib import Path

CLOUD = Path("cloud")
FAULTS = CLOUD / "faults"


def main() -> object:
    asked = json.load(sys.stdin)
    CLOUD.mkdir(exist_ok=True)
    with (CLOUD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return VERBS[asked["verb"]](asked)


def fault(name: str) -> object:
    faults = json.loads(FAULTS.read_text()) if FAULTS.exists() else {}
    return faults.get(name)


def use_up(name: str) -> bool:
    faults = json.loads(FAULTS.read_text()) if FAULTS.exists() else {}
    left = faults.get(name, 0)
    faults[name] = max(left - 1, 0)
    FAULTS.write_text(json.dumps(faults))
    return left > 0


def create(asked: dict) -> object:
    place = CLOUD / f"{asked['mark']}.json"
    if place.exists():
        machine = json.loads(place.read_text())
        if machine["state"] == "stopped":
            machine["state"] = "running"
            place.write_text(json.dumps(machine))
        return {"machine": machine}
    if (told := fault("refuse")) and asked["node"] not in (fault("not") or []):
        return {"error": {"why": told, "next": "ask the cloud for more"}}
    number = len(list(CLOUD.glob("*.json"))) + 1
    machine = {
        "node": asked["node"],
        "mark": asked["mark"],
        "cluster": asked["cluster"],
        "id": f"i-{number}-{asked['mark'][:6]}",
        "state": "running",
        "addresses": {"private_ipv4": f"192.0.2.{number}"},
        "facts": {**{k: str(v) for k, v in asked["settings"].items()}, "user_data": asked["user_data_digest"]},
        "told": base64.b64decode(asked["user_data"]).decode(),
    }
    if fault("hold"):
        (CLOUD / "begun").touch()
        deadline = time.monotonic() + 20
        while not (CLOUD / "go").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    place.write_text(json.dumps(machine))
    print(f"made {machine['id']}", file=sys.stderr)
    if use_up("lose"):
        os.kill(os.getpid(), 9)
    return {"machine": machine}


def observe(asked: dict) -> object:
    return {"machines": [json.loads(path.read_text()) for path in sorted(CLOUD.glob("*.json"))]}


def host_keys(asked: dict) -> object:
    key = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + asked["mark"].encode()[:32]).decode()
    return {"host_keys": [] if fault("no keys") else [f"ssh-ed25519 {key}"]}


def console(asked: dict) -> None:
    print(f"booting {asked['node']}\nlogin: ")


def power(asked: dict) -> object:
    place = CLOUD / f"{asked['mark']}.json"
    machine = json.loads(place.read_text())
    machine["state"] = "stopped" if asked["power"] == "off" else "running"
    place.write_text(json.dumps(machine))
    return {}


def destroy(asked: dict) -> object:
    if told := fault("keep"):
        return {"error": told}
    (CLOUD / f"{asked['mark']}.json").unlink(missing_ok=True)
    return {}


VERBS = {each.__name__: each for each in (create, observe, host_keys, console, power, destroy)}

if __name__ == "__main__":
    found = main()
    if found is not None:
        print(json.dumps({"coreops": 1, **found}))
