"""The example for Azure obeys the rules of all providers, with a fake of its REST API and of az.

The fake has the paths, fields and statuses of Azure's own API description (Compute 2024-07-01). The JSON of
`az account get-access-token` is that of az 2.91's source. The real cloud was not asked.
"""

from __future__ import annotations

import base64
import os
import re
import sys
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

SUBSCRIPTION = "/subscriptions/00000000-1111"
SUBNET = f"{SUBSCRIPTION}/resourceGroups/prod/providers/Microsoft.Network/virtualNetworks/v/subnets/nodes"
SETTINGS = {
    "location": "westeurope",
    "resource_group": "prod",
    "size": "Standard_B1s",
    "image": "kinvolk:flatcar-container-linux-free:stable:latest",
    "plan": True,
    "subnet": SUBNET,
    "ssh_key": "ssh-ed25519 AAAA me",
    "public_ip": True,
}
MACHINES = "/providers/Microsoft.Compute/virtualMachines"
MACHINE = re.compile(rf"{SUBSCRIPTION}/resourceGroups/prod{MACHINES}/([a-z0-9-]{{1,64}})(?:/(\w+))?")
PROPERTIES = {
    "hardwareProfile",
    "storageProfile",
    "osProfile",
    "networkProfile",
    "diagnosticsProfile",
}
PAGE = 2
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
LOG = f"[ 1.0] booting\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n{KEY} root@n1\r\n-----END SSH HOST KEY KEYS-----\r\n"
POWER = {"start": "running", "powerOff": "stopped", "restart": "running"}


class Azure(HttpCloud):
    """One subscription. states: power states by name; fault: machines cannot be placed, and this is why."""

    def __init__(self) -> None:
        super().__init__()
        self.machines: dict[str, dict[str, Any]] = {}
        self.states: dict[str, list[dict[str, str]]] = {}
        self.soon: dict[str, str] = {}
        self.lost = self.blind = 0
        self.refused: str | None = None
        self.fault: str | None = None
        self.log: str | None = LOG

    def error(self, status: int, message: str) -> Answer:
        codes = {401: "AuthenticationFailed", 404: "ResourceNotFound", 409: "OperationNotAllowed"}
        return status, {"error": {"code": codes.get(status, "TooManyRequests"), "message": message}}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        if path == "/blob":
            assert "authorization" not in self.headers, "the token is for nobody else"
            return (404, None) if self.log is None else (200, self.log)
        if self.headers.get("authorization") != "Bearer eyJ0.token":
            return self.error(401, "Authentication failed.")
        assert query["api-version"] == ("2024-05-01" if "Microsoft.Network/" in path else "2024-07-01")
        if method == "GET" and path == SUBSCRIPTION + MACHINES:
            return self.listed(query)
        if kind := re.fullmatch(rf"{SUBSCRIPTION}/providers/Microsoft.Network/(\w+)", path):
            return 200, {"value": [self.network(name, kind[1], number) for number, name in enumerate(self.machines)]}
        found = MACHINE.fullmatch(path)
        assert found, path
        name, action = found.groups()
        if method == "PUT":
            return self.make(path, name, body)
        if name not in self.machines:
            return self.error(404, f"The Resource 'Microsoft.Compute/virtualMachines/{name}' was not found.")
        if method == "GET":
            return 200, self.machines[name]
        if method == "DELETE":
            self.machines[name]["properties"]["provisioningState"] = "Deleting"
            return 202, None
        if action == "retrieveBootDiagnosticsData":
            return 200, {"serialConsoleLogBlobUri": f"{self.url}/blob"}
        self.soon[name] = POWER[action]
        return 202, None

    def make(self, path: str, name: str, body: dict[str, Any]) -> Answer:
        assert set(body["properties"]) == PROPERTIES
        assert self.headers["if-none-match"] == "*"
        if self.refused:
            return self.error(409, self.refused)
        if name in self.machines:
            return 412, {"error": {"code": "PreconditionFailed", "message": "The resource exists."}}
        properties = {**body["properties"], "provisioningState": "Creating"}
        self.machines[name] = {**body, "id": path, "name": name, "properties": properties}
        if self.lost:
            self.lost -= 1
            raise Lost
        return 201, self.machines[name]

    def listed(self, query: dict[str, str]) -> Answer:
        found = list(self.machines.values())
        if query.get("statusOnly"):
            # the real one answers with ids in capitals
            views = [(each["id"].upper(), {"statuses": self.states.get(each["name"], [])}) for each in found]
            return 200, {"value": [{"id": key, "properties": {"instanceView": view}} for key, view in views]}
        if self.blind:
            self.blind -= 1
            found = []
        start = int(query.get("$skiptoken", 0))
        page: dict[str, Any] = {"value": found[start : start + PAGE]}
        if len(found) > start + PAGE:
            here = f"{self.url}{SUBSCRIPTION}{MACHINES}?api-version=2024-07-01"
            page["nextLink"] = f"{here}&$skiptoken={start + PAGE}"
        return 200, page

    def network(self, name: str, kind: str, number: int) -> dict[str, Any]:
        root = f"{SUBSCRIPTION}/resourceGroups/prod/providers/Microsoft.Network"
        if kind == "publicIPAddresses":
            return {"id": f"{root}/{kind}/{name}", "properties": {"ipAddress": f"192.0.2.{number + 4}"}}
        address = {"privateIPAddress": f"10.0.0.{number + 4}", "privateIPAddressVersion": "IPv4"}
        outside = {"publicIPAddress": {"id": f"{root}/publicIPAddresses/{name}"}}
        configured = [{"name": "first", "properties": {**address, **outside}}]
        return {"id": f"{root}/{kind}/{name}", "properties": {"ipConfigurations": configured}}

    def ids(self) -> set[str]:
        there = (each for each in self.machines.values() if each["properties"]["provisioningState"] != "Deleting")
        return {f"prod/{each['name']}" for each in there}

    def stranger(self) -> str:
        path = f"{SUBSCRIPTION}/resourceGroups/prod{MACHINES}/n1"
        properties = {"provisioningState": "Succeeded", "hardwareProfile": {"vmSize": "Standard_B1s"}}
        self.machines["n1"] = {"id": path, "name": "n1", "location": "westeurope", "properties": properties}
        return "prod/n1"

    def lose_answers(self, count: int) -> None:
        self.lost = count

    def refuse(self, told: str | None) -> None:
        self.refused = told

    def vanish(self, identity: str) -> None:
        del self.machines[identity.removeprefix("prod/")]

    def settle(self) -> None:
        for name, each in list(self.machines.items()):
            properties = each["properties"]
            if properties["provisioningState"] == "Deleting":
                del self.machines[name]
            elif properties["provisioningState"] == "Creating" and self.fault:
                properties["provisioningState"] = "Failed"
                self.states[name] = [{"code": "ProvisioningState/failed/AllocationFailed", "message": self.fault}]
            elif properties["provisioningState"] == "Creating" or name in self.soon:
                root = f"{SUBSCRIPTION}/resourceGroups/prod/providers/Microsoft.Network/networkInterfaces"
                properties["networkProfile"] = {"networkInterfaces": [{"id": f"{root}/{name}"}]}
                properties["provisioningState"] = "Succeeded"
                power = self.soon.pop(name, "running")
                self.states[name] = [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{power}"}]


@contextmanager
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    found = Azure()
    with serving(found):
        az(tmp_path, 'echo \'{"accessToken": "eyJ0.token", "subscription": "00000000-1111", "tokenType": "Bearer"}\'')
        monkeypatch.setenv("AZURE_RESOURCE_MANAGER", found.url)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        yield found


def az(folder: Path, script: str) -> None:
    path = folder / "az"
    path.write_text(f'#!/bin/sh\n[ "$*" = "account get-access-token --output json" ] || exit 2\n{script}\n')
    path.chmod(0o755)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    with running(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def rig(cloud: Azure) -> ExampleRig:
    return ExampleRig("azure.py", cloud, SETTINGS, {"size": "Standard_B2s"})


class TestAzure(ProviderConformance):
    pass


def test_what_is_sent_is_what_the_inventory_says(rig: ExampleRig, cloud: Azure) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    assert made.state == "pending"
    (machine,) = cloud.machines.values()
    assert machine["plan"] == {"publisher": "kinvolk", "product": "flatcar-container-linux-free", "name": "stable"}
    assert machine["tags"]["coreops-mark"] == mark(CLUSTER, "n1")
    profile = machine["properties"]["osProfile"]
    assert (profile["computerName"], profile["adminUsername"]) == ("n1", "core")
    assert base64.b64decode(profile["customData"]) == b"#cloud-config\nhostname: n1\n"
    card = machine["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]["properties"]
    assert card["deleteOption"] == "Delete"
    address = card["ipConfigurations"][0]["properties"]
    assert address["subnet"] == {"id": SUBNET}
    assert address["publicIPAddressConfiguration"]["properties"]["deleteOption"] == "Delete"
    assert machine["properties"]["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    cloud.settle()
    (found,) = rig.provider.observe(CLUSTER)
    assert found.addresses == {"private_ipv4": "10.0.0.4", "public_ipv4": "192.0.2.4"}
    assert rig.provider.host_keys(found) == (KEY,)
    assert b"booting" in b"".join(rig.provider.console(found))
    cloud.log = None
    assert rig.provider.host_keys(found) == (), "nothing is written yet"


def test_two_at_one_time_are_one(rig: ExampleRig, cloud: Azure) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(rig.provider.create, [rig.wanted("n1")] * 4))
    assert {each.id for each in made} == cloud.ids()


def test_a_list_that_lags_makes_no_twin(rig: ExampleRig, cloud: Azure) -> None:
    first = rig.provider.create(rig.wanted("n1"))
    cloud.blind = 1
    assert rig.provider.create(rig.wanted("n1")).id == first.id
    assert cloud.ids() == {first.id}


def test_a_machine_that_could_not_be_placed_says_why(rig: ExampleRig, cloud: Azure) -> None:
    rig.provider.create(rig.wanted("n1"))
    cloud.fault = "Allocation failed. We do not have sufficient capacity in this region."
    cloud.settle()
    with pytest.raises(CoreopsError, match="sufficient capacity") as caught:
        rig.provider.create(rig.wanted("n1"))
    assert "coreops destroy" in (caught.value.next or "")


def test_a_machine_without_the_mark_is_not_touched(rig: ExampleRig, cloud: Azure) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    (machine,) = cloud.machines.values()
    machine["tags"] = {}
    for change in (rig.provider.destroy, lambda machine: rig.provider.power(machine, "off")):
        with pytest.raises(CoreopsError, match="does not carry the mark"):
            change(made)
    assert cloud.ids() == {made.id}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"subnet": None}, "command_subnet is not set"),
        ({"resource_group": None}, "command_resource_group is not set"),
        ({"sizes": "x"}, "command_sizes is not known"),
        ({"location": "West Europe"}, "westeurope"),
        ({"image": "Ubuntu2404"}, "PUBLISHER:OFFER:SKU:VERSION"),
    ],
)
def test_bad_settings_make_nothing(rig: ExampleRig, cloud: Azure, change: dict[str, Any], why: str) -> None:
    settings = {name: value for name, value in {**SETTINGS, **change}.items() if value is not None}
    with pytest.raises(CoreopsError, match=why):
        rig.provider.create(wanted("n1", settings))
    assert not [each for each in cloud.asked if each.startswith("PUT")]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1", "why: Please run 'az login'"),
        ('echo \'{"accessToken": "x"}\'', "no subscription"),
        ('echo \'{"accessToken": "x", "subscription": "00000000-1111"}\'', "Authentication failed"),
    ],
)
def test_no_way_in_is_one_clear_error(rig: ExampleRig, tmp_path: Path, script: str, why: str) -> None:
    az(tmp_path, script)
    with pytest.raises(CoreopsError, match=why):
        rig.provider.observe(CLUSTER)


def test_without_az_it_says_so(rig: ExampleRig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only/python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path / "only"))
    with pytest.raises(CoreopsError, match="there is no az"):
        rig.provider.observe(CLUSTER)
