"""The example for OpenStack obeys the rules of all providers, with a fake of Keystone, Nova and Glance.

The fake has the fields, statuses and errors of the samples in Nova's and Keystone's API references. No real cloud was
asked.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from coreops.errors import CoreopsError
from coreops.providers.protocol import mark
from tests.examples.http_cloud import Answer, HttpCloud, Lost, serving
from tests.examples.rig import ExampleRig, wanted
from tests.providers.conformance import CLUSTER, ProviderConformance

pytestmark = pytest.mark.slow

SETTINGS = {"flavor": "m1.small", "image": "flatcar stable", "networks": ["net-1"], "security_groups": ["etcd"]}
SERVER = re.compile(r"/compute/v2\.1/servers/([0-9a-f-]{36})(/action)?")
KNOWN = {"name", "flavorRef", "imageRef", "networks", "security_groups", "metadata", "user_data", "key_name"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
CONSOLE = f"""[    1.0] booting
-----BEGIN SSH HOST KEY KEYS-----
{KEY} root@n1
-----END SSH HOST KEY KEYS-----
-----BEGIN SSH HOST KEY KEYS-----
ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDcut
"""
PAGE = 2
EXPECTED_AUTH = {
    "identity": {
        "methods": ["password"],
        "password": {"user": {"name": "me", "password": "p w$(x)", "domain": {"name": "Default"}}},
    },
    "scope": {"project": {"name": "prod", "domain": {"name": "Default"}}},
}


class OpenStack(HttpCloud):
    """One region of a cloud."""

    def __init__(self) -> None:
        super().__init__()
        self.servers: dict[str, dict[str, Any]] = {}
        self.made: list[dict[str, Any]] = []
        self.lost = 0
        self.refused: str | None = None
        self.fault: str | None = None
        self.auth: Any = None

    def error(self, status: int, message: str) -> Answer:
        names = {400: "badRequest", 401: "error", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest"}
        return status, {names.get(status, "computeFault"): {"code": status, "message": message}}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        if path == "/identity/v3/auth/tokens":
            return self.authenticate(body["auth"])
        if self.headers.get("x-auth-token") != "gAAAA-token":
            return self.error(401, "The request you have made requires authentication.")
        if path == "/image/v2/images":
            found = [{"id": "70a599e0-31e7-49b7-b260-868f441e862b", "name": "flatcar stable", "status": "active"}]
            return 200, {"images": [each for each in found if each["name"] == query["name"]]}
        assert self.headers["openstack-api-version"] == "compute 2.47"
        if path == "/compute/v2.1/flavors":
            return 200, {"flavors": [{"id": "1", "name": "m1.small"}, {"id": "2", "name": "m1.large"}]}
        if path == "/compute/v2.1/servers/detail":
            return self.listed(query)
        if (method, path) == ("POST", "/compute/v2.1/servers"):
            return self.make(body["server"])
        found = SERVER.fullmatch(path)
        server = self.servers.get(found[1]) if found else None
        if not found or not server:
            return self.error(404, f"Instance {path.rpartition('/')[2]} could not be found.")
        if method == "GET":
            return 200, {"server": server}
        if method == "DELETE":
            server["OS-EXT-STS:task_state"] = "deleting"
            return 204, None
        return self.act(server, body)

    def authenticate(self, auth: Any) -> Answer:
        self.auth = auth
        if auth != EXPECTED_AUTH and "application_credential" not in auth["identity"]:
            return self.error(401, "The request you have made requires authentication.")
        kinds = {"compute": "/compute/v2.1", "image": "/image"}
        catalog = [
            {
                "type": kind,
                "endpoints": [
                    {"interface": "internal", "region": "one", "url": "http://127.0.0.1:9"},
                    {"interface": "public", "region": "one", "url": self.url + path},
                ],
            }
            for kind, path in kinds.items()
        ]
        return 201, {"token": {"catalog": catalog}}

    def reply_headers(self, path: str, status: int) -> dict[str, str]:
        return {"X-Subject-Token": "gAAAA-token"} if status == 201 else {}

    def make(self, body: dict[str, Any]) -> Answer:
        assert set(body) <= KNOWN, body
        assert all(isinstance(value, str) and len(value) <= 255 for value in body["metadata"].values())
        if self.refused:
            return self.error(403, self.refused)
        number = len(self.servers) + 2
        identity = str(uuid4())
        self.made.append(body)
        self.servers[identity] = {
            "id": identity,
            "name": body["name"],
            "metadata": body["metadata"],
            "status": "BUILD",
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "flavor": {"original_name": {"1": "m1.small", "2": "m1.large"}[body["flavorRef"]], "vcpus": 1},
            "OS-EXT-STS:task_state": "spawning",
            "OS-EXT-AZ:availability_zone": "nova",
            "addresses": {
                "private": [{"addr": f"10.0.0.{number}", "version": 4, "OS-EXT-IPS:type": "fixed"}],
                "outside": [
                    {"addr": f"192.0.2.{number}", "version": 4, "OS-EXT-IPS:type": "floating"},
                    {"addr": "2600::1", "version": 6, "OS-EXT-IPS:type": "fixed"},
                ],
            },
        }
        if self.lost:
            self.lost -= 1
            raise Lost
        return 202, {"server": {"id": identity, "links": [], "adminPass": "6NpUwoz2QDRN"}}

    def listed(self, query: dict[str, str]) -> Answer:
        start = int(query.get("marker", 0))
        found = list(self.servers.values())
        page: dict[str, Any] = {"servers": found[start : start + PAGE]}
        if len(found) > start + PAGE:
            href = f"{self.url}/compute/v2.1/servers/detail?marker={start + PAGE}"
            page["servers_links"] = [{"rel": "next", "href": href}]
        return 200, page

    def act(self, server: dict[str, Any], body: dict[str, Any]) -> Answer:
        if "os-getConsoleOutput" in body:
            return 200, {"output": CONSOLE}
        (action,) = body
        if action == "os-start" and server["status"] != "SHUTOFF":
            return self.error(409, f"Cannot 'start' instance {server['id']} while it is in vm_state active")
        server["soon"] = {"os-start": "ACTIVE", "os-stop": "SHUTOFF", "reboot": "ACTIVE"}[action]
        return 202, None

    def ids(self) -> set[str]:
        return {each["id"] for each in self.servers.values() if each["OS-EXT-STS:task_state"] != "deleting"}

    def stranger(self) -> str:
        told = self.make({"name": "n1", "flavorRef": "1", "metadata": {}, "networks": "auto", "user_data": ""})
        return str(told[1]["server"]["id"])

    def lose_answers(self, count: int) -> None:
        self.lost = count

    def refuse(self, told: str | None) -> None:
        self.refused = told

    def vanish(self, identity: str) -> None:
        del self.servers[identity]

    def settle(self) -> None:
        self.servers = {key: each for key, each in self.servers.items() if each["OS-EXT-STS:task_state"] != "deleting"}
        for each in self.servers.values():
            if self.fault:
                each |= {"status": "ERROR", "fault": {"code": 500, "message": self.fault}}
            each["OS-EXT-STS:task_state"] = None
            each["status"] = each.pop("soon", "ACTIVE" if each["status"] == "BUILD" else each["status"])


@contextmanager
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStack]:
    found = OpenStack()
    with serving(found):
        told = {
            "AUTH_URL": f"{found.url}/identity",
            "USERNAME": "me",
            "PASSWORD": "p w$(x)",
            "PROJECT_NAME": "prod",
            "REGION_NAME": "one",
        }
        for name, value in told.items():
            monkeypatch.setenv(f"OS_{name}", value)
        yield found


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStack]:
    with running(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def rig(cloud: OpenStack) -> ExampleRig:
    return ExampleRig("openstack.py", cloud, SETTINGS, {"flavor": "m1.large"})


class TestOpenStack(ProviderConformance):
    pass


def test_what_is_sent_is_what_the_inventory_says(rig: ExampleRig, cloud: OpenStack) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    (body,) = cloud.made
    assert body["imageRef"] == "70a599e0-31e7-49b7-b260-868f441e862b"
    assert (body["flavorRef"], body["networks"]) == ("1", [{"uuid": "net-1"}])
    assert body["security_groups"] == [{"name": "etcd"}]
    assert base64.b64decode(body["user_data"]) == b"#cloud-config\nhostname: n1\n"
    assert body["metadata"]["coreops-mark"] == mark(CLUSTER, "n1")
    cloud.settle()
    (found,) = rig.provider.observe(CLUSTER)
    assert found.addresses == {"private_ipv4": "10.0.0.2", "public_ipv4": "192.0.2.2", "public_ipv6": "2600::1"}
    assert rig.provider.host_keys(made) == (KEY,), "a block that is cut off is none"
    assert b"booting" in b"".join(rig.provider.console(made))


def test_two_at_one_time_are_one(rig: ExampleRig, cloud: OpenStack) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(rig.provider.create, [rig.wanted("n1")] * 4))
    assert cloud.ids() == {made[0].id}
    assert len({each.id for each in made}) == 1


def test_a_server_that_could_not_be_placed_says_why(rig: ExampleRig, cloud: OpenStack) -> None:
    rig.provider.create(rig.wanted("n1"))
    cloud.fault = "No valid host was found. There are not enough hosts available."
    cloud.settle()
    with pytest.raises(CoreopsError, match="not enough hosts") as caught:
        rig.provider.create(rig.wanted("n1"))
    assert "coreops destroy" in (caught.value.next or "")
    (found,) = rig.provider.observe(CLUSTER)
    rig.provider.destroy(found)
    assert cloud.ids() == set()


def test_a_server_without_the_mark_is_not_touched(rig: ExampleRig, cloud: OpenStack) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    cloud.servers[made.id]["metadata"] = {}
    for change in (rig.provider.destroy, lambda machine: rig.provider.power(machine, "off")):
        with pytest.raises(CoreopsError, match="does not carry the mark"):
            change(made)
    assert cloud.ids() == {made.id}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"flavor": "m1.huge"}, "there are: m1.large, m1.small"),
        ({"image": "a&name=b"}, "no one image"),
        ({"flavor": None}, "command_flavor is not set"),
        ({"flavour": "m1.small"}, "command_flavour is not known"),
    ],
)
def test_bad_settings_make_nothing(rig: ExampleRig, cloud: OpenStack, change: dict[str, Any], why: str) -> None:
    settings = {name: value for name, value in {**SETTINGS, **change}.items() if value is not None}
    with pytest.raises(CoreopsError, match=why):
        rig.provider.create(wanted("n1", settings))
    assert not cloud.made


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("OS_AUTH_URL", "", "OS_AUTH_URL is not set"),
        ("OS_PASSWORD", "", "OS_PASSWORD is not set"),
        ("OS_PASSWORD", "wrong", "requires authentication"),
        ("OS_REGION_NAME", "two", "regions: one"),
        ("OS_AUTH_URL", "http://127.0.0.1:9/v3", "Connection refused"),
    ],
)
def test_no_way_in_is_one_clear_error(
    rig: ExampleRig, monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(CoreopsError, match=why):
        rig.provider.observe(CLUSTER)


def test_an_application_credential_is_enough(
    rig: ExampleRig, cloud: OpenStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_APPLICATION_CREDENTIAL_ID", "21dced0f")
    monkeypatch.setenv("OS_APPLICATION_CREDENTIAL_SECRET", "s3cret")
    assert rig.provider.observe(CLUSTER) == ()
    told = {"id": "21dced0f", "secret": "s3cret"}
    assert cloud.auth == {"identity": {"methods": ["application_credential"], "application_credential": told}}
