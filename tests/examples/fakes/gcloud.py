"""A fake of ``gcloud compute instances``: its flags, its JSON (the API's instances) and the wording of its errors."""

import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(__file__))
from state import flags_of, opened

API = "https://www.googleapis.com/compute/v1/projects/p1"
ALL = {"--quiet": 0, "--format": 1}
PLACED = {**ALL, "--zone": 1}
FLAGS = {
    "list": {**ALL, "--filter": 1},
    "create": {
        **PLACED,
        "--no-address": 0,
        **dict.fromkeys(
            (
                "--machine-type",
                "--image-project",
                "--image",
                "--image-family",
                "--subnet",
                "--private-network-ip",
                "--tags",
                "--boot-disk-size",
                "--boot-disk-type",
                "--service-account",
                "--labels",
                "--metadata-from-file",
            ),
            1,
        ),
    },
    **dict.fromkeys(("start", "stop", "reset", "delete", "get-serial-port-output"), PLACED),
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
SERIAL = f"""SeaBIOS
-----BEGIN SSH HOST KEY KEYS-----\r
{KEY} root@n1\r
-----END SSH HOST KEY KEYS-----\r
"""


def failed(verb, why):
    raise SystemExit(f"ERROR: (gcloud.compute.instances.{verb}) Could not fetch resource:\n - {why}")


def pairs(text):
    return dict(each.split("=", 1) for each in text.split(","))


def make(state, name, flags):
    zone = flags["--zone"]
    if not re.fullmatch(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?", name):
        failed("create", f"Invalid value for field 'resource.name': '{name}'.")
    if state["refuse"]:
        failed("create", state["refuse"])
    if f"{zone}/{name}" in state["machines"]:
        failed("create", f"The resource 'projects/p1/zones/{zone}/instances/{name}' already exists")
    labels = pairs(flags.get("--labels", "")) if "--labels" in flags else {}
    assert all(re.fullmatch(r"[a-z0-9_-]{0,63}", each) for each in labels.values()), labels
    items = []
    for key, path in pairs(flags["--metadata-from-file"]).items():
        with open(path, encoding="utf-8") as stream:
            items.append({"key": key, "value": stream.read()})
    number = len(state["machines"]) + 2
    outside = [] if "--no-address" in flags else [{"natIP": f"192.0.2.{number}", "type": "ONE_TO_ONE_NAT"}]
    state["machines"][f"{zone}/{name}"] = instance = {
        "id": f"731{number}",
        "name": name,
        "zone": f"{API}/zones/{zone}",
        "machineType": f"{API}/zones/{zone}/machineTypes/{flags['--machine-type']}",
        "status": "STAGING",
        "labels": labels,
        "metadata": {"fingerprint": "x", "items": items},
        "networkInterfaces": [{"name": "nic0", "networkIP": f"10.132.0.{number}", "accessConfigs": outside}],
    }
    state["told"][name] = {"flags": flags, "argv": sys.argv}
    if state["lose"]:
        state["lose"] -= 1
        return None
    return [instance]


def main():
    assert sys.argv[1:3] == ["compute", "instances"], sys.argv
    verb = sys.argv[3]
    words, flags = flags_of(sys.argv[4:], FLAGS[verb])
    with opened(os.environ["FAKE_CLOUD"]) as state:
        state["asked"].append(verb)
        if state["out"]:
            raise SystemExit(state["out"])
        if verb == "create":
            answer = make(state, words[0], flags)
        elif verb == "list":
            label, _, value = flags["--filter"].removeprefix("labels.").replace(":", "=").partition("=")
            found = [each for each in state["machines"].values() if label in each.get("labels", {})]
            answer = [each for each in found if value in ("*", each["labels"][label])]
            if state["blind"]:
                state["blind"], answer = state["blind"] - 1, []
        else:
            answer = change(state, verb, f"{flags['--zone']}/{words[0]}")
    if answer is None:
        os.kill(os.getpid(), signal.SIGKILL)
    if verb == "get-serial-port-output":
        print(answer)
        print("Specify --start=1024 in the next invocation to get only the new output", file=sys.stderr)
    else:
        print(json.dumps(answer))


def change(state, verb, place):
    if place not in state["machines"]:
        failed(verb, f"The resource 'projects/p1/zones/{place.replace('/', '/instances/')}' was not found")
    if verb == "delete":
        del state["machines"][place]
    elif verb == "get-serial-port-output":
        return SERIAL
    else:
        state["machines"][place]["soon"] = "TERMINATED" if verb == "stop" else "RUNNING"
    return []


if __name__ == "__main__":
    main()
