#!/usr/bin/env python3
"""A provider for coreops: Google Compute Engine instances, by the gcloud program. docs/clouds.md says how to use it.

The mark is a label, and part of the instance's name, which a zone has only once: of two that are made with one mark at
a time the second one is refused.

Tried with a fake gcloud that was written from its reference and from errors as users reported them; never with the real
gcloud, nor with the real cloud.
"""

import base64
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NEEDED = ("zone", "machine_type", "image_project")
FLAGS = {
    "zone": "--zone",
    "machine_type": "--machine-type",
    "image_project": "--image-project",
    "image": "--image",
    "image_family": "--image-family",
    "subnet": "--subnet",
    "private_ip": "--private-network-ip",
    "network_tags": "--tags",
    "disk_size": "--boot-disk-size",
    "disk_type": "--boot-disk-type",
    "service_account": "--service-account",
}
MARK, USER_DATA, NODE = "coreops-mark", "coreops-user-data", "coreops-node"
STATES = {"PROVISIONING": "pending", "STAGING": "pending", "REPAIRING": "pending", "RUNNING": "running"}
POWERS = {"on": "start", "off": "stop", "reset": "reset"}
AGAIN = "run the same command again: it goes on from what is there"
ADVICE = (
    ("uota", "ask for more in the cloud console under IAM, Quotas; or choose another machine type or zone"),
    ("RESOURCE_POOL_EXHAUSTED", "choose another zone or machine type, or try again later"),
    ("ermission", "give the account the role roles/compute.instanceAdmin.v1 in the project"),
    ("gcloud auth", "gcloud auth login, or gcloud auth activate-service-account"),
    ("required property [project]", "gcloud config set project PROJECT, or set CLOUDSDK_CORE_PROJECT"),
)
BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+) ([A-Za-z0-9+/]{40,}={0,2})(?![A-Za-z0-9+/=])")


class Refused(Exception):
    """What gcloud said, and what to do about it."""

    def __init__(self, why, what_next):
        super().__init__(why)
        self.why, self.next = why, what_next


def create(asked):
    found = marked(asked["mark"])
    if not found:
        try:
            make(asked)
        except Refused:
            # another one may have been quicker
            if not marked(asked["mark"]):
                raise
        found = marked(asked["mark"])
    if len(found) != 1:
        raise Refused(f"{len(found)} instances carry the mark: {[address(each) for each in found]}", AGAIN)
    instance = found[0]
    if machine(instance)["state"] == "stopped":
        change("start", instance)
        instance = {**instance, "status": "STAGING"}
    return {"machine": machine(instance)}


def make(asked):
    settings = asked["settings"]
    if missing := [name for name in NEEDED if name not in settings]:
        raise Refused(f"command_{missing[0]} is not set", f"needed: {', '.join(NEEDED)}, and image or image_family")
    if unknown := sorted(set(settings) - {*FLAGS, "public_ip"}):
        raise Refused(f"command_{unknown[0]} is not known", f"known: {', '.join([*FLAGS, 'public_ip'])}")
    user_data = base64.b64decode(asked["user_data"])
    try:
        user_data.decode()
    except UnicodeDecodeError:
        raise Refused("user-data is not text, and Compute Engine takes only text", "do not compress it") from None
    flags = [f"{FLAGS[name]}={text(value)}" for name, value in settings.items() if name in FLAGS]
    flags += [f"--labels={MARK}={asked['mark']},{USER_DATA}={asked['user_data_digest']}"]
    if settings.get("public_ip") is False:
        flags.append("--no-address")
    # in files: what is secret does not belong on a command line, nor commas into a list
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "user-data").write_bytes(user_data)
        Path(folder, "node").write_bytes(asked["node"].encode())
        flags.append(f"--metadata-from-file=user-data=user-data,{NODE}=node")
        gcloud("create", name_of(asked), *flags, folder=folder)


def name_of(asked):
    """A name that people know again and that is this node's alone."""
    plain = re.sub(r"[^a-z0-9-]+", "-", asked["node"].lower())[:37]
    return f"coreops-{plain}-{asked['mark'][:16]}"


def text(value):
    return ",".join(value) if isinstance(value, list) else str(value)


def observe(asked):
    return {"machines": [machine(each) for each in listed(f"labels.{MARK}:*")]}


def host_keys(asked):
    """What cloud-init wrote to the serial port, which only the machine can write to."""
    blocks = BLOCK.findall(serial(asked))
    return {"host_keys": sorted({" ".join(key) for block in blocks for key in KEY.findall(block)})}


def power(asked):
    found = ours(asked)
    if not found:
        raise Refused(f"no instance {asked['id']} carries the mark of {asked['node']}", "coreops plan shows what is")
    change(POWERS[asked["power"]], found[0])
    return {}


def destroy(asked):
    for each in ours(asked):
        change("delete", each)
    return {}


def console(asked):
    sys.stdout.buffer.write(serial(asked).encode())


def serial(asked):
    found = ours(asked)
    return gcloud("get-serial-port-output", *place(found[0])) if found else ""


def ours(asked):
    return [each for each in marked(asked["mark"]) if address(each) == asked["id"]]


def marked(mark):
    return listed(f"labels.{MARK}={mark}")


def listed(which):
    return json.loads(gcloud("list", f"--filter={which}"))


def change(verb, instance):
    gcloud(verb, *place(instance))


def place(instance):
    return [instance["name"], f"--zone={last(instance['zone'])}"]


def address(instance):
    return f"{last(instance['zone'])}/{instance['name']}"


def last(url):
    return url.rpartition("/")[2]


def machine(instance):
    addresses = {}
    for each in instance.get("networkInterfaces", ()):
        outside = [*each.get("accessConfigs", ()), *each.get("ipv6AccessConfigs", ())]
        told = {"private_ipv4": each.get("networkIP"), "private_ipv6": each.get("ipv6Address")}
        told["public_ipv4"] = next((one["natIP"] for one in outside if one.get("natIP")), None)
        told["public_ipv6"] = next((one["externalIpv6"] for one in outside if one.get("externalIpv6")), None)
        addresses = {**{kind: value for kind, value in told.items() if value}, **addresses}
    metadata = {each["key"]: each["value"] for each in instance["metadata"].get("items", ())}
    facts = {"zone": last(instance["zone"]), "machine_type": last(instance["machineType"])}
    facts["user_data"] = instance["labels"].get(USER_DATA, "")
    return {
        "node": metadata.get(NODE) or instance["name"],
        "mark": instance["labels"][MARK],
        "id": address(instance),
        "state": STATES.get(instance["status"], "stopped"),
        "addresses": addresses,
        "facts": facts,
    }


def gcloud(verb, *arguments, folder=None):
    command = ["gcloud", "compute", "instances", verb, *arguments, "--quiet"]
    if verb != "get-serial-port-output":
        command.append("--format=json")
    try:
        done = subprocess.run(command, capture_output=True, cwd=folder, stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise Refused("there is no gcloud", "install the Google Cloud CLI, then gcloud auth login") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"gcloud ended with {done.returncode}"
        why = re.sub(r"^ERROR: \(gcloud\.[\w.-]+\) ", "", said, flags=re.MULTILINE)
        raise Refused(why, next((told for word, told in ADVICE if word in why), AGAIN))
    return done.stdout.decode(errors="replace")


VERBS = {each.__name__: each for each in (create, observe, host_keys, power, destroy, console)}


def main():
    asked = json.load(sys.stdin)
    try:
        told = VERBS[asked["verb"]](asked)
    except Refused as refused:
        if asked["verb"] == "console":
            return f"{refused.why}: {refused.next}"
        told = {"error": {"why": refused.why, "next": refused.next}}
    if told is not None:
        print(json.dumps({"coreops": 1, **told}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
