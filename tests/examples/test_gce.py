"""The example for Google Compute Engine obeys the rules of all providers, with a fake of gcloud.

The fake has the flags of gcloud's reference, the API's JSON of an instance and errors as users have reported them.
Neither the real gcloud nor the real cloud was asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from coreops.errors import CoreopsError
from tests.examples.cli_cloud import CliCloud
from tests.examples.fakes.state import opened
from tests.examples.rig import ExampleRig, wanted
from tests.providers.conformance import CLUSTER, ProviderConformance

pytestmark = pytest.mark.slow

SETTINGS = {
    "zone": "europe-west1-b",
    "machine_type": "e2-small",
    "image_project": "debian-cloud",
    "image_family": "debian-12",
    "network_tags": ["etcd", "ssh"],
}
HOSTILE = "n,1=$(id) \u00e9"


class Instances(CliCloud):
    """One project."""

    def stranger(self) -> str:
        with opened(self.folder) as state:
            state["machines"]["europe-west1-b/n1"] = {"name": "n1", "zone": "z/europe-west1-b", "status": "RUNNING"}
        return "europe-west1-b/n1"

    def settle(self) -> None:
        with opened(self.folder) as state:
            for each in state["machines"].values():
                if "soon" in each or each["status"] == "STAGING":
                    each["status"] = each.pop("soon", "RUNNING")


@contextmanager
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instances]:
    yield Instances("gcloud", tmp_path, monkeypatch)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instances]:
    with running(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def rig(cloud: Instances) -> ExampleRig:
    return ExampleRig("gce.py", cloud, SETTINGS, {"machine_type": "e2-medium"})


class TestComputeEngine(ProviderConformance):
    pass


def test_what_is_sent_is_what_the_inventory_says(rig: ExampleRig, cloud: Instances) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    ((name, told),) = cloud.told.items()
    assert name.startswith("coreops-n1-")
    assert told["flags"]["--tags"] == "etcd,ssh"
    assert "cloud-config" not in " ".join(told["argv"])
    cloud.settle()
    (found,) = rig.provider.observe(CLUSTER)
    assert (found.id, found.state) == (made.id, "running")
    assert found.addresses == {"private_ipv4": "10.132.0.2", "public_ipv4": "192.0.2.2"}
    items = {each["key"]: each["value"] for each in cloud.machines[made.id]["metadata"]["items"]}
    assert items == {"user-data": "#cloud-config\nhostname: n1\n", "coreops-node": "n1"}
    assert len(rig.provider.host_keys(found)) == 1
    assert b"SeaBIOS" in b"".join(rig.provider.console(found))


def test_a_hostile_name_stays_a_name(rig: ExampleRig, cloud: Instances) -> None:
    rig.provider.create(rig.wanted(HOSTILE))
    assert [each.node for each in rig.provider.observe(CLUSTER)] == [HOSTILE]


def test_without_a_public_address(rig: ExampleRig) -> None:
    made = rig.provider.create(wanted("n1", {**SETTINGS, "public_ip": False}))
    assert made.addresses == {"private_ipv4": "10.132.0.2"}


def test_two_at_one_time_are_one(rig: ExampleRig, cloud: Instances) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(rig.provider.create, [rig.wanted("n1")] * 4))
    assert {each.id for each in made} == cloud.ids()


def test_a_list_that_lags_makes_no_twin(rig: ExampleRig, cloud: Instances) -> None:
    first = rig.provider.create(rig.wanted("n1"))
    cloud.set(blind=1)
    assert rig.provider.create(rig.wanted("n1")).id == first.id
    assert cloud.ids() == {first.id}


def test_an_instance_without_the_mark_is_not_touched(rig: ExampleRig, cloud: Instances) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    with opened(cloud.folder) as state:
        state["machines"][made.id]["labels"] = {}
    rig.provider.destroy(made)
    with pytest.raises(CoreopsError, match="carries the mark"):
        rig.provider.power(made, "off")
    assert cloud.ids() == {made.id}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"zone": None}, "command_zone is not set"),
        ({"zoen": "b"}, "command_zoen is not known"),
    ],
)
def test_bad_settings_make_nothing(rig: ExampleRig, cloud: Instances, change: dict[str, Any], why: str) -> None:
    settings = {name: value for name, value in {**SETTINGS, **change}.items() if value is not None}
    with pytest.raises(CoreopsError, match=why):
        rig.provider.create(wanted("n1", settings))
    assert "create" not in cloud.asked


def test_user_data_that_is_no_text_is_refused(rig: ExampleRig) -> None:
    with pytest.raises(CoreopsError, match="not text"):
        rig.provider.create(wanted("n1", SETTINGS, user_data=b"\x1f\x8b\xff"))


@pytest.mark.parametrize(
    ("said", "why", "what_next"),
    [
        (
            "ERROR: (gcloud.compute.instances.list) You do not currently have an active account selected.\n"
            "Please run:\n\n  $ gcloud auth login",
            "You do not currently have an active account",
            "gcloud auth login",
        ),
        (
            "ERROR: (gcloud.compute.instances.list) Some requests did not succeed:\n"
            " - Required 'compute.instances.list' permission for 'projects/p1'",
            "Required 'compute.instances.list' permission",
            "roles/compute.instanceAdmin.v1",
        ),
        (
            "ERROR: (gcloud.compute.instances.list) The required property [project] is not currently set.",
            "The required property",
            "CLOUDSDK_CORE_PROJECT",
        ),
    ],
)
def test_no_way_in_is_one_clear_error(rig: ExampleRig, cloud: Instances, said: str, why: str, what_next: str) -> None:
    cloud.set(out=said)
    with pytest.raises(CoreopsError) as caught:
        rig.provider.observe(CLUSTER)
    assert why in (caught.value.why or "")
    assert "ERROR" not in (caught.value.why or "")
    assert what_next in (caught.value.next or "")


def test_a_machine_without_gcloud_says_so(rig: ExampleRig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only/python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path / "only"))
    with pytest.raises(CoreopsError, match="there is no gcloud"):
        rig.provider.observe(CLUSTER)
