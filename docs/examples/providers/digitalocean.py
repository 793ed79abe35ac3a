#!/usr/bin/env python3
"""A provider for coreops: DigitalOcean droplets, by its HTTPS API. docs/clouds.md says how to use it.

The mark is a tag; the node is the droplet's name. DigitalOcean has no client token, so of two droplets that were made
with one mark at a time the eldest stays: whoever made the other one removes it before it answers.

Tried with a fake that was written from DigitalOcean's OpenAPI description; never with the real cloud.
"""

import base64
import json
import os
import re
import subprocess
import sys
import time
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

API = os.environ.get("DIGITALOCEAN_API_URL", "https://api.digitalocean.com").rstrip("/")
OURS = "coreops"
MARK = "coreops:mark:"
USER_DATA = "coreops:user-data:"
NEEDED = ("region", "size", "image")
OPTIONAL = ("vpc_uuid", "ssh_keys", "ipv6", "monitoring", "backups", "public_networking", "tags")
STATES = {"new": "pending", "active": "running", "off": "stopped", "archive": "stopped"}
ACTIONS = {"on": "power_on", "off": "power_off", "reset": "power_cycle"}
AGAIN = "run the same command again: it goes on from what is there"


class Refused(Exception):
    """What DigitalOcean said, and what to do about it."""

    def __init__(self, why, what_next, status=0):
        super().__init__(why)
        self.why, self.next, self.status = why, what_next, status


def create(asked):
    found = marked(asked["mark"])
    for pause in (1, 2, 4):
        if len(found) > 1:  # whoever made the younger one is about to remove it
            time.sleep(pause)
            found = marked(asked["mark"])
    if len(found) > 1:
        raise Refused(f"two droplets carry the mark: {[each['id'] for each in found]}", "remove the one not in use")
    if not found:
        mine = call("POST", "/v2/droplets", body(asked))["droplet"]
        # the list may lag behind what was just made
        rivals = [mine, *(each for each in marked(asked["mark"]) if each["id"] != mine["id"])]
        found = [min(rivals, key=lambda each: each["id"])]
        if found[0] is not mine:
            call("DELETE", f"/v2/droplets/{mine['id']}")
    elif found[0]["status"] == "off":
        act(found[0]["id"], "power_on")
        found = [{**found[0], "status": "new"}]
    return {"machine": machine(found[0])}


def body(asked):
    settings = asked["settings"]
    if missing := [name for name in NEEDED if name not in settings]:
        raise Refused(f"command_{missing[0]} is not set", f"needed: {', '.join(NEEDED)}")
    if unknown := sorted(set(settings) - {*NEEDED, *OPTIONAL}):
        raise Refused(f"command_{unknown[0]} is not known", f"known: {', '.join([*NEEDED, *OPTIONAL])}")
    try:
        user_data = base64.b64decode(asked["user_data"]).decode()
    except UnicodeDecodeError:
        raise Refused("user-data is not text, and DigitalOcean takes only text", "do not compress it") from None
    more = settings.get("tags", [])
    tags = [
        *([more] if isinstance(more, str) else more),
        OURS,
        MARK + asked["mark"],
        USER_DATA + asked["user_data_digest"],
    ]
    return {**settings, "name": asked["node"], "user_data": user_data, "tags": tags}


def observe(asked):
    return {"machines": [machine(each) for each in droplets(OURS)]}


def host_keys(asked):
    """There is no API for a console. First sight is believed only where the operator says so."""
    if os.environ.get("DIGITALOCEAN_HOST_KEYS") != "first-sight":
        raise Refused(
            "DigitalOcean lets no program read a console, so nobody vouches for the droplet's host key",
            "read it in the web console and write it into known_hosts; or set DIGITALOCEAN_HOST_KEYS=first-sight",
        )
    addresses = machine(ours(asked))["addresses"]
    command = ["ssh-keyscan", "-T", "5", addresses.get("public_ipv4") or addresses["private_ipv4"]]
    seen = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    return {"host_keys": [line.split(" ", 1)[1] for line in seen.splitlines() if not line.startswith("#")]}


def power(asked):
    droplet = ours(asked)
    if asked["power"] == "reset" or (droplet["status"] == "off") != (asked["power"] == "off"):
        act(droplet["id"], ACTIONS[asked["power"]])
    return {}


def destroy(asked):
    try:
        call("DELETE", f"/v2/droplets/{ours(asked)['id']}")
    except Refused as refused:
        if refused.status != 404:
            raise
    return {}


def console(asked):
    raise Refused("DigitalOcean lets no program read a console", "open the droplet's web console")


def ours(asked):
    """The droplet that was named, if it carries the mark."""
    droplet = call("GET", f"/v2/droplets/{int(asked['id'])}")["droplet"]
    if MARK + asked["mark"] not in droplet["tags"]:
        raise Refused(f"droplet {asked['id']} does not carry the mark of {asked['node']}", "it is not coreops's")
    return droplet


def marked(mark):
    return droplets(MARK + mark)


def droplets(tag):
    found, page = [], 1
    while True:
        answer = call("GET", "/v2/droplets?" + urlencode({"tag_name": tag, "per_page": 200, "page": page}))
        found += answer["droplets"]
        if "next" not in answer.get("links", {}).get("pages", {}):
            return found
        page += 1


def act(droplet, action):
    call("POST", f"/v2/droplets/{droplet}/actions", {"type": action})


def machine(droplet):
    tags = {tag.rpartition(":")[0] + ":": tag.rpartition(":")[2] for tag in droplet["tags"]}
    networks = droplet["networks"]
    found = [(f"{each['type']}_ipv4", each["ip_address"]) for each in networks.get("v4", ())]
    found += [(f"{each['type']}_ipv6", each["ip_address"]) for each in networks.get("v6", ())]
    facts = {"size": droplet["size_slug"], "region": droplet["region"]["slug"], "vpc_uuid": droplet.get("vpc_uuid")}
    facts["user_data"] = tags.get(USER_DATA)
    return {
        "node": droplet["name"],
        "mark": tags.get(MARK, ""),
        "id": str(droplet["id"]),
        "state": STATES[droplet["status"]],
        "addresses": dict(reversed(found)),  # of several of a kind the first
        "facts": {name: value for name, value in facts.items() if value},
    }


def call(method, path, data=None):
    """One call. What was refused for its haste is asked again; what may have been done is not."""
    for pause in (0.5, 1, 2, 4):
        try:
            return answer(method, path, data)
        except Refused as refused:
            if refused.status != 429 and not (method == "GET" and refused.status >= 500):
                raise
            time.sleep(pause)
    return answer(method, path, data)


def answer(method, path, data):
    token = (os.environ.get("DIGITALOCEAN_TOKEN") or os.environ.get("DIGITALOCEAN_ACCESS_TOKEN") or "").strip()
    if not re.fullmatch(r"[!-~]+", token):
        raise Refused("there are no credentials", "set DIGITALOCEAN_TOKEN to a token that may write droplets and tags")
    request = Request(API + path, data and json.dumps(data).encode(), method=method)
    request.add_unredirected_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", "application/json")
    try:
        with urlopen(request, timeout=60) as response:
            return json.loads(response.read() or b"{}")
    except HTTPError as error:
        raise Refused(said(error.read()) or str(error), advice(error.code), error.code) from None
    except (URLError, OSError, HTTPException, ValueError) as error:
        raise Refused(f"no answer from {API}: {error}", AGAIN) from None


def said(text):
    try:
        return json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        return re.sub(rb"\s+", b" ", text).decode(errors="replace")[:500]


def advice(status):
    if status == 401:
        return "set DIGITALOCEAN_TOKEN to a token that is valid"
    if status == 403:
        return "the token needs the scopes droplet:create, read, update, delete and tag:create"
    return "correct the setting it names; a limit is raised in DigitalOcean's control panel" if status == 422 else AGAIN


VERBS = {each.__name__: each for each in (create, observe, host_keys, power, destroy, console)}


def main():
    asked = json.load(sys.stdin)
    try:
        told = VERBS[asked["verb"]](asked)
    except Refused as refused:
        if asked["verb"] == "console":
            return f"{refused.why}: {refused.next}"
        told = {"error": {"why": refused.why, "next": refused.next}}
    print(json.dumps({"coreops": 1, **told}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
