#!/usr/bin/env python3
"""A provider for coreops: Azure virtual machines, by Azure's REST API; the az program signs in. See docs/clouds.md.

The mark is a tag, and part of the machine's name, which a resource group has only once: one PUT makes the machine with
its network interface, address and disk, two make no second one, and all of it goes with the machine.

Tried with a fake that was written from Azure's API description. The body of the PUT has only fields that Azure's own
Python library knows, and what az 2.91 says before `az login` is understood; the real cloud was never asked.
"""

import json
import os
import re
import subprocess
import sys
import time
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

API = os.environ.get("AZURE_RESOURCE_MANAGER", "https://management.azure.com").rstrip("/")
COMPUTE, NETWORK = "2024-07-01", "2024-05-01"
MACHINES = "Microsoft.Compute/virtualMachines"
NEEDED = ("location", "resource_group", "size", "image", "subnet", "ssh_key")
OPTIONAL = ("admin", "zone", "public_ip", "nsg", "disk_size", "plan")
MARK, NODE, USER_DATA = "coreops-mark", "coreops-node", "coreops-user-data"
POWERS = {"on": "start", "off": "powerOff", "reset": "restart"}
AGAIN = "run the same command again: it goes on from what is there"
BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+) ([A-Za-z0-9+/]{40,}={0,2})(?![A-Za-z0-9+/=])")


class Refused(Exception):
    """What Azure said, and what to do about it."""

    def __init__(self, why, what_next, status=0):
        super().__init__(why)
        self.why, self.next, self.status = why, what_next, status


def create(asked, azure):
    found = marked(azure, asked["mark"])
    if not found:
        path, wanted = place(asked["settings"].get("resource_group"), name_of(asked)), body(asked)
        try:
            made = azure.call("PUT", path, COMPUTE, data=wanted, headers={"If-None-Match": "*"})
        except Refused:
            # another one may have been quicker
            found = marked(azure, asked["mark"])
            if not found:
                raise
        else:
            return {"machine": machine(made, {}, {}, {})}
    if len(found) > 1:
        raise Refused(f"two machines carry the mark: {[short(each) for each in found]}", "remove the one not in use")
    states = statuses(azure)
    if told := failure(states.get(found[0]["id"].lower(), ())):
        raise Refused(told, "remove it with `coreops destroy` when that is put right, then run the same command again")
    answer = machine(found[0], states, *networks(azure))
    if answer["state"] == "stopped":
        azure.call("POST", f"{found[0]['id']}/start", COMPUTE)
        answer["state"] = "pending"
    return {"machine": answer}


def body(asked):
    settings = asked["settings"]
    if missing := [name for name in NEEDED if name not in settings]:
        raise Refused(f"command_{missing[0]} is not set", f"needed: {', '.join(NEEDED)}")
    if unknown := sorted(set(settings) - {*NEEDED, *OPTIONAL}):
        raise Refused(f"command_{unknown[0]} is not known", f"known: {', '.join([*NEEDED, *OPTIONAL])}")
    if not re.fullmatch(r"[a-z0-9]+", settings["location"]):
        raise Refused(f"command_location is {settings['location']!r}", "write its short name, e.g. westeurope")
    admin = settings.get("admin", "core")
    keys = [{"path": f"/home/{admin}/.ssh/authorized_keys", "keyData": settings["ssh_key"]}]
    disk = {"createOption": "FromImage", "deleteOption": "Delete"}
    if "disk_size" in settings:
        disk["diskSizeGB"] = settings["disk_size"]
    wanted = {
        "location": settings["location"],
        "tags": {MARK: asked["mark"], NODE: asked["node"], USER_DATA: asked["user_data_digest"]},
        "properties": {
            "hardwareProfile": {"vmSize": settings["size"]},
            "storageProfile": {"imageReference": image(settings["image"]), "osDisk": disk},
            "osProfile": {
                "computerName": plain(asked["node"])[:63],
                "adminUsername": admin,
                "customData": asked["user_data"],
                "linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": keys}},
            },
            "networkProfile": {
                "networkApiVersion": "2020-11-01",
                "networkInterfaceConfigurations": [interface(settings)],
            },
            "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        },
    }
    if "zone" in settings:
        wanted["zones"] = [str(settings["zone"])]
    if settings.get("plan"):
        publisher, offer, sku, _ = settings["image"].split(":")
        wanted["plan"] = {"publisher": publisher, "product": offer, "name": sku}
    return wanted


def image(name):
    if name.startswith("/"):
        return {"id": name}
    parts = name.split(":")
    if len(parts) != 4:
        raise Refused(f"command_image is {name!r}", "write PUBLISHER:OFFER:SKU:VERSION, or the id of an image")
    return dict(zip(("publisher", "offer", "sku", "version"), parts, strict=True))


def interface(settings):
    address = {"primary": True, "subnet": {"id": settings["subnet"]}, "privateIPAddressVersion": "IPv4"}
    if settings.get("public_ip"):
        kept = {"publicIPAllocationMethod": "Static", "deleteOption": "Delete"}
        address["publicIPAddressConfiguration"] = {"name": "public", "sku": {"name": "Standard"}, "properties": kept}
    properties = {"primary": True, "deleteOption": "Delete"}
    properties["ipConfigurations"] = [{"name": "first", "properties": address}]
    if "nsg" in settings:
        properties["networkSecurityGroup"] = {"id": settings["nsg"]}
    return {"name": "first", "properties": properties}


def plain(node):
    return re.sub(r"[^a-z0-9-]+", "-", node.lower()).strip("-") or "node"


def name_of(asked):
    """A name that people know again and that is this node's alone."""
    return f"coreops-{plain(asked['node'])[:32]}-{asked['mark'][:16]}"


def place(group, name):
    if not group:
        raise Refused("command_resource_group is not set", f"needed: {', '.join(NEEDED)}")
    return f"/resourceGroups/{quote(group, safe='')}/providers/{MACHINES}/{quote(name, safe='')}"


def observe(asked, azure):
    found = [each for each in listed(azure) if MARK in each.get("tags", {})]
    if not found:
        return {"machines": []}
    states, (interfaces, addresses) = statuses(azure), networks(azure)
    return {"machines": [machine(each, states, interfaces, addresses) for each in found]}


def host_keys(asked, azure):
    """What cloud-init wrote to the serial console, which only the machine can write to."""
    blocks = BLOCK.findall(serial(asked, azure))
    return {"host_keys": sorted({" ".join(key) for block in blocks for key in KEY.findall(block)})}


def power(asked, azure):
    # powerOff keeps the machine's place and its price; deallocate would free both, and a later start may find no room
    azure.call("POST", f"{ours(asked, azure)['id']}/{POWERS[asked['power']]}", COMPUTE)
    return {}


def destroy(asked, azure):
    try:
        azure.call("DELETE", ours(asked, azure)["id"], COMPUTE)
    except Refused as refused:
        if refused.status != 404:
            raise
    return {}


def console(asked, azure):
    sys.stdout.buffer.write(serial(asked, azure).encode())


def serial(asked, azure):
    try:
        places = azure.call("POST", f"{ours(asked, azure)['id']}/retrieveBootDiagnosticsData", COMPUTE)
        with urlopen(places["serialConsoleLogBlobUri"], timeout=60) as response:
            return response.read().decode(errors="replace")
    except HTTPError as error:
        if error.code == 404:  # the machine has written nothing yet
            return ""
        raise Refused(f"the console's log cannot be read: {error}", AGAIN) from None
    except (URLError, OSError) as error:
        raise Refused(f"the console's log cannot be read: {error}", AGAIN) from None


def ours(asked, azure):
    """The machine that was named, if it carries the mark."""
    found = azure.call("GET", place(*asked["id"].split("/", 1)), COMPUTE)
    if found.get("tags", {}).get(MARK) != asked["mark"]:
        raise Refused(f"machine {asked['id']} does not carry the mark of {asked['node']}", "it is not coreops's")
    return found


def marked(azure, mark):
    return [each for each in listed(azure) if each.get("tags", {}).get(MARK) == mark]


def listed(azure):
    """Every machine of the subscription that is not on its way out."""
    found = azure.listed(f"/providers/{MACHINES}", COMPUTE)
    return [each for each in found if each["properties"]["provisioningState"] != "Deleting"]


def statuses(azure):
    found = azure.listed(f"/providers/{MACHINES}", COMPUTE, statusOnly="true")
    return {each["id"].lower(): each["properties"]["instanceView"].get("statuses", ()) for each in found}


def networks(azure):
    kinds = ("networkInterfaces", "publicIPAddresses")
    lists = [azure.listed(f"/providers/Microsoft.Network/{kind}", NETWORK) for kind in kinds]
    return [{each["id"].lower(): each["properties"] for each in found} for found in lists]


def failure(states):
    return next((each.get("message", each["code"]) for each in states if "/failed" in each["code"].lower()), None)


def machine(found, states, interfaces, addresses):
    tags, properties = found["tags"], found["properties"]
    facts = {"location": found["location"], "size": properties["hardwareProfile"]["vmSize"]}
    facts["user_data"] = tags.get(USER_DATA, "")
    if found.get("zones"):
        facts["zone"] = found["zones"][0]
    told = {}
    for card in properties.get("networkProfile", {}).get("networkInterfaces", ()):
        for each in interfaces.get(card["id"].lower(), {}).get("ipConfigurations", ()):
            one = each["properties"]
            version = one.get("privateIPAddressVersion", "IPv4").lower()
            outside = addresses.get(one.get("publicIPAddress", {}).get("id", "").lower(), {})
            told.setdefault(f"private_{version}", one.get("privateIPAddress"))
            told.setdefault(f"public_{version}", outside.get("ipAddress"))
    return {
        "node": tags.get(NODE) or found["name"],
        "mark": tags[MARK],
        "id": short(found),
        "state": state(properties["provisioningState"], states.get(found["id"].lower(), ())),
        "addresses": {kind: address for kind, address in told.items() if address},
        "facts": facts,
    }


def state(provisioning, states):
    power = next((each["code"].removeprefix("PowerState/") for each in states if "PowerState/" in each["code"]), None)
    if power is None:
        return "stopped" if provisioning == "Failed" else "pending"
    return {"running": "running", "starting": "pending"}.get(power, "stopped")


def short(found):
    """RESOURCE GROUP/NAME, out of a path that begins with /subscriptions/ID/resourceGroups/."""
    parts = found["id"].split("/")
    return f"{parts[4]}/{parts[-1]}"


class Azure:
    """The subscription that az is signed in to."""

    def __init__(self):
        command = ["az", "account", "get-access-token", "--output", "json"]
        try:
            done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        except FileNotFoundError:
            raise Refused("there is no az", "install the Azure CLI, then az login") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().removeprefix("ERROR: ")
            raise Refused(said or f"az ended with {done.returncode}", "az login, then az account set -s SUBSCRIPTION")
        told = json.loads(done.stdout)
        if "subscription" not in told:
            raise Refused("az is signed in to no subscription", "az account set -s SUBSCRIPTION")
        self.token, self.root = told["accessToken"], f"/subscriptions/{told['subscription']}"

    def listed(self, path, version, **query):
        """All pages of a list."""
        page = self.call("GET", path, version, **query)
        found = page["value"]
        while link := page.get("nextLink"):
            page = self.asked("GET", link)
            found += page["value"]
        return found

    def call(self, method, path, version, data=None, headers=None, **query):
        whole = path if path.startswith("/subscriptions/") else self.root + path
        return self.asked(method, f"{API}{whole}?{urlencode({'api-version': version, **query})}", data, headers)

    def asked(self, method, url, data=None, headers=None):
        """One call. What was refused for its haste is asked again; what may have been done is not."""
        for pause in (0.5, 1, 2, 4):
            try:
                return self.answer(method, url, data, headers)
            except Refused as refused:
                if refused.status != 429 and not (method == "GET" and refused.status >= 500):
                    raise
                time.sleep(pause)
        return self.answer(method, url, data, headers)

    def answer(self, method, url, data, headers):
        if not url.startswith(API + "/"):  # the token is for nobody else
            raise Refused(f"Azure points to {url}", AGAIN)
        request = Request(url, None if data is None else json.dumps(data).encode(), headers or {}, method=method)
        request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        if method == "POST" and data is None:
            request.add_header("Content-Length", "0")
        try:
            with urlopen(request, timeout=60) as response:
                return json.loads(response.read() or b"{}")
        except HTTPError as error:
            raise Refused(said(error.read()) or str(error), advice(error.code), error.code) from None
        except (URLError, OSError, HTTPException, ValueError) as error:
            raise Refused(f"no answer from {API}: {error}", AGAIN) from None


def said(text):
    try:
        told = json.loads(text)["error"]
        return f"{told['code']}: {told['message']}"
    except (ValueError, KeyError, TypeError):
        return re.sub(rb"\s+", b" ", text).decode(errors="replace")[:500]


def advice(status):
    if status == 401:
        return "az login"
    if status == 403:
        return "give the account the role Virtual Machine Contributor, and Network Contributor on the subnet"
    if status in (400, 404):
        return "correct the setting it names"
    return "ask for more quota, or choose another size, zone or location" if status == 409 else AGAIN


VERBS = {each.__name__: each for each in (create, observe, host_keys, power, destroy, console)}


def main():
    asked = json.load(sys.stdin)
    try:
        told = VERBS[asked["verb"]](asked, Azure())
    except Refused as refused:
        if asked["verb"] == "console":
            return f"{refused.why}: {refused.next}"
        told = {"error": {"why": refused.why, "next": refused.next}}
    if told is not None:
        print(json.dumps({"coreops": 1, **told}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
