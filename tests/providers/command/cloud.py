#!/usr/bin/env python3
"""A cloud of files for tests of the provider ``command``: a machine is DIR/MARK.json, and faults are in DIR/faults.

DIR is ``cloud`` in the folder it runs in. Imports little: it is started hundreds of times.
"""

import binascii
import fcntl
import json
import os
import sys
import time

CLOUD = "cloud/"
FAULTS = CLOUD + "faults"


def main() -> object:
    asked = json.load(sys.stdin)
    os.makedirs(CLOUD, exist_ok=True)
    with open(CLOUD + "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return VERBS[asked["verb"]](asked)


def read(path: str) -> dict:
    with open(path) as file:
        return json.load(file)


def write(path: str, value: object) -> None:
    with open(path, "w") as file:
        json.dump(value, file)


def machines() -> list[str]:
    return sorted(CLOUD + name for name in os.listdir(CLOUD) if name.endswith(".json"))


def fault(name: str) -> object:
    return read(FAULTS).get(name) if os.path.exists(FAULTS) else None


def use_up(name: str) -> bool:
    faults = read(FAULTS) if os.path.exists(FAULTS) else {}
    left = faults.get(name, 0)
    faults[name] = max(left - 1, 0)
    write(FAULTS, faults)
    return left > 0


def create(asked: dict) -> object:
    place = CLOUD + f"{asked['mark']}.json"
    if os.path.exists(place):
        machine = read(place)
        if machine["state"] == "stopped":
            machine["state"] = "running"
            write(place, machine)
        return {"machine": machine}
    if (told := fault("refuse")) and asked["node"] not in (fault("not") or []):
        return {"error": {"why": told, "next": "ask the cloud for more"}}
    number = len(machines()) + 1
    machine = {
        "node": asked["node"],
        "mark": asked["mark"],
        "cluster": asked["cluster"],
        "id": f"i-{number}-{asked['mark'][:6]}",
        "state": "running",
        "addresses": {"private_ipv4": f"192.0.2.{number}"},
        "facts": {**{k: str(v) for k, v in asked["settings"].items()}, "user_data": asked["user_data_digest"]},
        "told": binascii.a2b_base64(asked["user_data"]).decode(),
    }
    if fault("hold"):
        write(CLOUD + "begun", None)
        deadline = time.monotonic() + 120
        while not os.path.exists(CLOUD + "go") and time.monotonic() < deadline:
            time.sleep(0.01)
    write(place, machine)
    print(f"made {machine['id']}", file=sys.stderr)
    if use_up("lose"):
        os.kill(os.getpid(), 9)
    return {"machine": machine}


def observe(asked: dict) -> object:
    return {"machines": [read(path) for path in machines()]}


def host_keys(asked: dict) -> object:
    key = binascii.b2a_base64(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + asked["mark"].encode()[:32], newline=False).decode()
    return {"host_keys": [] if fault("no keys") else [f"ssh-ed25519 {key}"]}


def console(asked: dict) -> None:
    print(f"booting {asked['node']}\nlogin: ")


def power(asked: dict) -> object:
    place = CLOUD + f"{asked['mark']}.json"
    machine = read(place)
    machine["state"] = "stopped" if asked["power"] == "off" else "running"
    write(place, machine)
    return {}


def destroy(asked: dict) -> object:
    if told := fault("keep"):
        return {"error": told}
    place = CLOUD + f"{asked['mark']}.json"
    if os.path.exists(place):
        os.unlink(place)
    return {}


VERBS = {each.__name__: each for each in (create, observe, host_keys, console, power, destroy)}

if __name__ == "__main__":
    found = main()
    if found is not None:
        print(json.dumps({"coreops": 1, **found}))
