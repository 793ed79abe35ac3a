"""The example for DigitalOcean obeys the rules of all providers, with a fake of its API.

The fake has the paths, fields, statuses and errors of DigitalOcean's OpenAPI description. The real one was not asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from coreops.errors import CoreopsError
from coreops.providers.protocol import mark
from tests.examples.http_cloud import Answer, HttpCloud, Lost, serving
from tests.examples.rig import ExampleRig, wanted
from tests.providers.conformance import CLUSTER, ProviderConformance

pytestmark = pytest.mark.slow

SETTINGS = {"region": "fra1", "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64", "ssh_keys": [1], "tags": ["web"]}
DROPLET = re.compile(r"/v2/droplets/(\d+)(/actions)?")
KNOWN = {"name", "region", "size", "image", "ssh_keys", "user_data", "tags", "vpc_uuid", "ipv6"}
PAGE = 2
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


class Droplets(HttpCloud):
    """blind: how many lists do not show what was made last."""

    def __init__(self) -> None:
        super().__init__()
        self.droplets: dict[int, dict[str, Any]] = {}
        self.told: dict[int, str] = {}
        self.lost = self.blind = 0
        self.refused: str | None = None
        self.next_id = 3164444

    def error(self, status: int, message: str) -> Answer:
        ids = {401: "unauthorized", 404: "not_found", 422: "unprocessable_entity", 429: "too_many_requests"}
        return status, {"id": ids.get(status, "server_error"), "message": message, "request_id": "4d9d8375"}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        if self.headers.get("authorization") != "Bearer dop_v1_secret":
            return self.error(401, "Unable to authenticate you.")
        if (method, path) == ("POST", "/v2/droplets"):
            return self.make(body)
        if (method, path) == ("GET", "/v2/droplets"):
            return self.listed(query)
        found = DROPLET.fullmatch(path)
        droplet = self.droplets.get(int(found[1])) if found else None
        if not found or not droplet:
            return self.error(404, "The resource you were accessing could not be found.")
        if method == "GET":
            return 200, {"droplet": droplet}
        if method == "DELETE":
            del self.droplets[droplet["id"]]
            return 204, None
        droplet["soon"] = {"power_on": "active", "power_off": "off", "power_cycle": "active"}[body["type"]]
        return 201, {"action": {"id": 36804636, "status": "in-progress", "type": body["type"]}}

    def make(self, body: dict[str, Any]) -> Answer:
        assert set(body) <= KNOWN, body
        assert all(re.fullmatch(r"[a-zA-Z0-9_\-:]{1,255}", tag) for tag in body["tags"])
        if self.refused:
            return self.error(422, self.refused)
        self.next_id += 1
        self.droplets[self.next_id] = {
            "id": self.next_id,
            "name": body["name"],
            "status": "new",
            "size_slug": body["size"],
            "region": {"slug": body["region"]},
            "tags": body["tags"],
            "vpc_uuid": "760e09ef-dc84-11e8-981e-3cfdfeaae000",
            "networks": {
                "v4": [
                    {"ip_address": f"10.128.0.{len(self.droplets) + 2}", "type": "private"},
                    {"ip_address": f"192.0.2.{len(self.droplets) + 2}", "type": "public"},
                ],
                "v6": [{"ip_address": "2001:db8::1", "type": "public"}],
            },
        }
        self.told[self.next_id] = body["user_data"]
        if self.lost:
            self.lost -= 1
            raise Lost
        return 202, {"droplet": {**self.droplets[self.next_id], "networks": {"v4": [], "v6": []}}}

    def listed(self, query: dict[str, str]) -> Answer:
        found = [each for each in self.droplets.values() if query["tag_name"] in each["tags"]]
        if self.blind:
            self.blind -= 1
            found = []
        page = int(query["page"])
        links = {"pages": {"next": "https://..."}} if len(found) > page * PAGE else {}
        return 200, {"droplets": found[(page - 1) * PAGE : page * PAGE], "links": links, "meta": {"total": len(found)}}

    def ids(self) -> set[str]:
        return {str(each) for each in self.droplets}

    def stranger(self) -> str:
        body = {"name": "n1", "region": "fra1", "size": "s-1vcpu-1gb", "tags": ["coreops"], "user_data": ""}
        return str(self.make(body)[1]["droplet"]["id"])

    def lose_answers(self, count: int) -> None:
        self.lost = count

    def refuse(self, told: str | None) -> None:
        self.refused = told

    def vanish(self, identity: str) -> None:
        del self.droplets[int(identity)]

    def settle(self) -> None:
        for each in self.droplets.values():
            each["status"] = each.pop("soon", "active" if each["status"] == "new" else each["status"])


@contextmanager
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Droplets]:
    found = Droplets()
    with serving(found):
        monkeypatch.setenv("DIGITALOCEAN_API_URL", found.url)
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_secret")
        monkeypatch.setenv("DIGITALOCEAN_HOST_KEYS", "first-sight")
        keyscan = tmp_path / "ssh-keyscan"
        keyscan.write_text(f'#!/bin/sh\necho "# $4:22 SSH-2.0"\necho "$4 {KEY}"\n')
        keyscan.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        yield found


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Droplets]:
    with running(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def rig(cloud: Droplets) -> ExampleRig:
    return ExampleRig("digitalocean.py", cloud, SETTINGS, {"size": "s-2vcpu-2gb"})


class TestDigitalOcean(ProviderConformance):
    pass


def test_what_is_sent_is_what_the_inventory_says(rig: ExampleRig, cloud: Droplets) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    assert made.state == "pending"
    (droplet,) = cloud.droplets.values()
    assert droplet["name"] == "n1"
    assert droplet["tags"][:3] == ["web", "coreops", f"coreops:mark:{mark(CLUSTER, 'n1')}"]
    assert cloud.told[droplet["id"]] == "#cloud-config\nhostname: n1\n"
    cloud.settle()
    (found,) = rig.provider.observe(CLUSTER)
    assert found.addresses == {"private_ipv4": "10.128.0.2", "public_ipv4": "192.0.2.2", "public_ipv6": "2001:db8::1"}
    assert rig.provider.host_keys(found) == (KEY,)


def test_two_at_one_time_are_one(rig: ExampleRig, cloud: Droplets) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(rig.provider.create, [rig.wanted("n1")] * 4))
    assert cloud.ids() == {made[0].id}
    assert len({each.id for each in made}) == 1


def test_a_list_that_lags_makes_no_twin(rig: ExampleRig, cloud: Droplets) -> None:
    first = rig.provider.create(rig.wanted("n1"))
    cloud.blind = 1
    assert rig.provider.create(rig.wanted("n1")).id == first.id
    assert cloud.ids() == {first.id}


def test_haste_is_asked_again(rig: ExampleRig, cloud: Droplets) -> None:
    cloud.busy = 2
    rig.provider.create(rig.wanted("n1"))
    assert len(cloud.ids()) == 1


def test_a_droplet_without_the_mark_is_not_touched(rig: ExampleRig, cloud: Droplets) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    cloud.droplets[int(made.id)]["tags"] = []
    for change in (rig.provider.destroy, lambda machine: rig.provider.power(machine, "off")):
        with pytest.raises(CoreopsError, match="does not carry the mark"):
            change(made)
    assert cloud.ids() == {made.id}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"size": None}, "command_size is not set"),
        ({"siez": "s"}, "command_siez is not known"),
    ],
)
def test_bad_settings_make_nothing(rig: ExampleRig, cloud: Droplets, change: dict[str, Any], why: str) -> None:
    settings = {name: value for name, value in {**SETTINGS, **change}.items() if value is not None}
    with pytest.raises(CoreopsError, match=why):
        rig.provider.create(wanted("n1", settings))
    assert not [each for each in cloud.asked if each.startswith("POST")]


def test_user_data_that_is_no_text_is_refused(rig: ExampleRig) -> None:
    with pytest.raises(CoreopsError, match="not text"):
        rig.provider.create(wanted("n1", SETTINGS, user_data=b"\x1f\x8b\xff"))


@pytest.mark.parametrize("token", ["", "wrong", "two\nlines"])
def test_no_credentials_is_one_clear_error(rig: ExampleRig, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", token)
    with pytest.raises(CoreopsError, match="DIGITALOCEAN_TOKEN") as caught:
        rig.provider.observe(CLUSTER)
    assert not token or token not in str(caught.value)


def test_nobody_there_is_one_clear_error(rig: ExampleRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITALOCEAN_API_URL", "http://127.0.0.1:9")
    with pytest.raises(CoreopsError, match="Connection refused"):
        rig.provider.create(rig.wanted("n1"))


def test_host_keys_are_not_believed_unasked(rig: ExampleRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIGITALOCEAN_HOST_KEYS")
    made = rig.provider.create(rig.wanted("n1"))
    with pytest.raises(CoreopsError, match="nobody vouches"):
        rig.provider.host_keys(made)


def test_a_console_is_refused_with_the_reason(rig: ExampleRig) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    with pytest.raises(CoreopsError, match="web console"):
        list(rig.provider.console(made))


def test_a_twin_that_stays_is_told(rig: ExampleRig, cloud: Droplets) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    cloud.droplets[7] = {**cloud.droplets[int(made.id)], "id": 7}
    with pytest.raises(CoreopsError, match=r"two droplets carry the mark: \[\d+, 7\]"):
        rig.provider.create(rig.wanted("n1"))
    assert cloud.ids() == {made.id, "7"}, "nobody but you knows which one is in use"


def test_off_twice_is_off(rig: ExampleRig, cloud: Droplets) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    cloud.settle()
    for _ in range(2):
        rig.provider.power(made, "off")
        cloud.settle()
    assert len([each for each in cloud.asked if each.endswith("/actions")]) == 1


def test_one_tag_is_a_list_of_one(rig: ExampleRig, cloud: Droplets) -> None:
    rig.provider.create(wanted("n1", {**SETTINGS, "tags": "web"}))
    (droplet,) = cloud.droplets.values()
    assert droplet["tags"][:2] == ["web", "coreops"]
