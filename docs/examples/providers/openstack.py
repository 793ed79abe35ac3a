#!/usr/bin/env python3
"""A provider for coreops: OpenStack servers, by its HTTPS APIs (Keystone v3, Nova 2.47, Glance v2). See docs/clouds.md.

The mark is metadata of the server. Nova has no client token, so of two servers that were made with one mark at a time
the eldest stays: whoever made the other one removes it before it answers.

Tried with a fake that was written from the samples of Nova's and Keystone's API references. The body of a new server is
valid by Nova's own schema; a real cloud was never asked.
"""

import ipaddress
import json
import os
import re
import sys
import time
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

NEEDED = ("flavor", "image")
OPTIONAL = ("networks", "security_groups", "key_name", "availability_zone", "config_drive")
NODE, MARK, USER_DATA = "coreops-node", "coreops-mark", "coreops-user-data"
# Nova tells the time of birth in seconds: after this long everything that is not younger can be seen.
GRAIN = 1.1
AGAIN = "run the same command again: it goes on from what is there"
BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+) ([A-Za-z0-9+/]{40,}={0,2})(?![A-Za-z0-9+/=])")


class Refused(Exception):
    """What OpenStack said, and what to do about it."""

    def __init__(self, why, what_next, status=0):
        super().__init__(why)
        self.why, self.next, self.status = why, what_next, status


def create(asked, cloud):
    found = marked(cloud, asked["mark"])
    for pause in (1, 2, 4):
        if len(found) > 1:  # whoever made the younger one is about to remove it
            time.sleep(pause)
            found = marked(cloud, asked["mark"])
    if len(found) > 1:
        raise Refused(f"two servers carry the mark: {[each['id'] for each in found]}", "remove the one not in use")
    if not found:
        mine = cloud.nova("POST", "/servers", {"server": body(asked, cloud)})["server"]["id"]
        time.sleep(GRAIN)
        found = sorted(marked(cloud, asked["mark"]), key=lambda each: (each["created"], each["id"]))
        if not found:
            raise Refused(f"server {mine} was made, and is not listed", AGAIN)
        if found[0]["id"] != mine:
            cloud.nova("DELETE", f"/servers/{mine}")
    server = found[0]
    if server["status"] == "ERROR":
        told = server.get("fault", {}).get("message", "it does not say why")
        raise Refused(told, "remove it with `coreops destroy` when that is put right, then run the same command again")
    if server["status"] == "SHUTOFF":
        cloud.nova("POST", f"/servers/{server['id']}/action", {"os-start": None})
        server = {**server, "status": "BUILD"}
    return {"machine": machine(server)}


def body(asked, cloud):
    settings = asked["settings"]
    if missing := [name for name in NEEDED if name not in settings]:
        raise Refused(f"command_{missing[0]} is not set", f"needed: {', '.join(NEEDED)}")
    if unknown := sorted(set(settings) - {*NEEDED, *OPTIONAL}):
        raise Refused(f"command_{unknown[0]} is not known", f"known: {', '.join([*NEEDED, *OPTIONAL])}")
    more = {name: settings[name] for name in ("key_name", "availability_zone", "config_drive") if name in settings}
    if groups := several(settings, "security_groups"):
        more["security_groups"] = [{"name": name} for name in groups]
    networks = several(settings, "networks")
    return {
        "name": asked["node"],
        "flavorRef": one("flavor", settings["flavor"], cloud.listed("/flavors", "flavors")),
        "imageRef": image(settings["image"], cloud),
        "networks": [{"uuid": each} for each in networks] if networks else "auto",
        "metadata": {NODE: asked["node"], MARK: asked["mark"], USER_DATA: asked["user_data_digest"]},
        "user_data": asked["user_data"],
        **more,
    }


def several(settings, name):
    """A setting that is a list, or one of its kind."""
    value = settings.get(name, [])
    return [value] if isinstance(value, str) else value


def image(name, cloud):
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name):
        return name
    found = cloud.glance("GET", f"/v2/images?status=active&name={quote(name, safe='')}")["images"]
    return one("image", name, found)


def one(kind, name, things):
    ids = [each["id"] for each in things if each["name"] == name]
    if len(ids) == 1:
        return ids[0]
    names = sorted({each["name"] for each in things})[:20]
    told = f"{len(ids)} are called so: {', '.join(ids)}" if ids else f"there are: {', '.join(names)}" if names else ""
    raise Refused(f"there is no one {kind} {name!r}", told or f"`openstack {kind} list` shows what there is")


def observe(asked, cloud):
    return {"machines": [machine(each) for each in servers(cloud) if MARK in each["metadata"]]}


def host_keys(asked, cloud):
    """What cloud-init wrote to the console, which only the machine can write to."""
    blocks = BLOCK.findall(output(asked, cloud))
    return {"host_keys": sorted({" ".join(key) for block in blocks for key in KEY.findall(block)})}


def power(asked, cloud):
    server = ours(asked, cloud)
    running = server["status"] != "SHUTOFF"
    if asked["power"] == "reset":
        action = {"reboot": {"type": "HARD"}}
    else:
        action = {"os-start": None} if asked["power"] == "on" else {"os-stop": None}
    if asked["power"] == "reset" or running != (asked["power"] == "on"):
        cloud.nova("POST", f"/servers/{server['id']}/action", action)
    return {}


def destroy(asked, cloud):
    try:
        cloud.nova("DELETE", f"/servers/{ours(asked, cloud)['id']}")
    except Refused as refused:
        if refused.status != 404:
            raise
    return {}


def console(asked, cloud):
    sys.stdout.buffer.write(output(asked, cloud).encode())


def output(asked, cloud):
    action = {"os-getConsoleOutput": {}}
    return cloud.nova("POST", f"/servers/{ours(asked, cloud)['id']}/action", action)["output"] or ""


def ours(asked, cloud):
    """The server that was named, if it carries the mark."""
    server = cloud.nova("GET", f"/servers/{quote(asked['id'], safe='')}")["server"]
    if server["metadata"].get(MARK) != asked["mark"]:
        raise Refused(f"server {asked['id']} does not carry the mark of {asked['node']}", "it is not coreops's")
    return server


def marked(cloud, mark):
    return [each for each in servers(cloud) if each["metadata"].get(MARK) == mark]


def servers(cloud):
    """Every server that is not on its way out."""
    found = cloud.listed("/servers/detail", "servers")
    gone = ("DELETED", "SOFT_DELETED")
    return [each for each in found if each["status"] not in gone and each["OS-EXT-STS:task_state"] != "deleting"]


def machine(server):
    addresses = {}
    for each in (each for network in server["addresses"].values() for each in network):
        inside = each.get("OS-EXT-IPS:type") != "floating" and ipaddress.ip_address(each["addr"]).is_private
        addresses.setdefault(f"{'private' if inside else 'public'}_ipv{each['version']}", each["addr"])
    facts = {"flavor": server["flavor"]["original_name"], "user_data": server["metadata"].get(USER_DATA, "")}
    states = {"BUILD": "pending", "REBUILD": "pending"}
    states |= dict.fromkeys(("ACTIVE", "REBOOT", "HARD_REBOOT", "PASSWORD", "RESIZE", "VERIFY_RESIZE"), "running")
    if zone := server.get("OS-EXT-AZ:availability_zone"):
        facts["availability_zone"] = zone
    return {
        "node": server["metadata"][NODE],
        "mark": server["metadata"][MARK],
        "id": server["id"],
        "state": states.get(server["status"], "stopped"),
        "addresses": addresses,
        "facts": facts,
    }


class Cloud:
    """The APIs, by the variables that the openstack client reads too."""

    def __init__(self):
        url = environment("OS_AUTH_URL").rstrip("/")
        base = url if url.endswith("/v3") else f"{url}/v3"
        told, headers = call("POST", f"{base}/auth/tokens", {"auth": credentials()}, {})
        self.headers = {"X-Auth-Token": headers["X-Subject-Token"], "OpenStack-API-Version": "compute 2.47"}
        self.catalog = told["token"]["catalog"]

    def endpoint(self, kind):
        region, interface = os.environ.get("OS_REGION_NAME") or None, os.environ.get("OS_INTERFACE") or "public"
        places = [each for service in self.catalog if service["type"] == kind for each in service["endpoints"]]
        found = [each for each in places if each["interface"] == interface and region in (None, each["region"])]
        if not found:
            known = ", ".join(sorted({each["region"] for each in places})) or "none"
            raise Refused(f"the catalog has no {kind} service here", f"set OS_REGION_NAME; regions: {known}")
        return found[0]["url"].rstrip("/")

    def nova(self, method, path, data=None):
        return call(method, self.endpoint("compute") + path, data, self.headers)[0]

    def glance(self, method, path):
        return call(method, self.endpoint("image").removesuffix("/v2") + path, None, self.headers)[0]

    def listed(self, path, key):
        """All pages of a list."""
        found, url = [], self.endpoint("compute") + path
        while url:
            page = call("GET", url, None, self.headers)[0]
            found += page[key]
            url = next((each["href"] for each in page.get(f"{key}_links", ()) if each["rel"] == "next"), None)
        return found


def environment(name):
    if value := os.environ.get(name):
        return value
    raise Refused(f"there are no credentials: {name} is not set", "read in your project's openrc file")


def credentials():
    if os.environ.get("OS_APPLICATION_CREDENTIAL_ID"):
        names = {"id": "OS_APPLICATION_CREDENTIAL_ID", "secret": "OS_APPLICATION_CREDENTIAL_SECRET"}
        told = {key: environment(name) for key, name in names.items()}
        return {"identity": {"methods": ["application_credential"], "application_credential": told}}
    user = {"name": environment("OS_USERNAME"), "password": environment("OS_PASSWORD")}
    user["domain"] = {"name": os.environ.get("OS_USER_DOMAIN_NAME", "Default")}
    if os.environ.get("OS_PROJECT_ID"):
        project = {"id": os.environ["OS_PROJECT_ID"]}
    else:
        domain = {"name": os.environ.get("OS_PROJECT_DOMAIN_NAME", "Default")}
        project = {"name": environment("OS_PROJECT_NAME"), "domain": domain}
    return {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": project},
    }


def call(method, url, data, headers):
    """One call. What was refused for its haste is asked again; what may have been done is not."""
    for pause in (0.5, 1, 2, 4):
        try:
            return answer(method, url, data, headers)
        except Refused as refused:
            if refused.status != 429 and not (method == "GET" and refused.status >= 500):
                raise
            time.sleep(pause)
    return answer(method, url, data, headers)


def answer(method, url, data, headers):
    request = Request(url, None if data is None else json.dumps(data).encode(), method=method)
    for name, value in headers.items():  # not for whom the answer may point to
        request.add_unredirected_header(name, value)
    request.add_header("Content-Type", "application/json")
    try:
        with urlopen(request, timeout=60) as response:
            return json.loads(response.read() or b"{}"), response.headers
    except HTTPError as error:
        raise Refused(said(error.read()) or str(error), advice(error.code), error.code) from None
    except (URLError, OSError, HTTPException, ValueError) as error:
        raise Refused(f"no answer from {url}: {error}", AGAIN) from None


def said(text):
    """The message of whichever service it was: each has another envelope."""
    try:
        return next(iter(json.loads(text).values()))["message"]
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return re.sub(rb"\s+", b" ", text).decode(errors="replace")[:500]


def advice(status):
    if status == 401:
        return "read in your project's openrc file, or a new application credential"
    if status == 406:
        return "this Nova is older than OpenStack Pike, which is too old for this program"
    if status == 403:
        return "a quota is raised by the cloud's operator, and a role given by the project's owner"
    return "correct the setting it names" if status == 400 else AGAIN


VERBS = {each.__name__: each for each in (create, observe, host_keys, power, destroy, console)}


def main():
    asked = json.load(sys.stdin)
    try:
        told = VERBS[asked["verb"]](asked, Cloud())
    except Refused as refused:
        if asked["verb"] == "console":
            return f"{refused.why}: {refused.next}"
        told = {"error": {"why": refused.why, "next": refused.next}}
    if told is not None:
        print(json.dumps({"coreops": 1, **told}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
