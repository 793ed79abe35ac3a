"""The inventory folder of a lab, as coreops itself reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from coreops.errors import InputError
from coreops.inventory import load_inventory, target
from coreops.providers.namespace import inventory
from coreops.providers.namespace.keys import ensure_key, make_key
from coreops.providers.namespace.plan import LabPlan

PLAN = LabPlan("lab", "10.77.4.0/24", 2, "abc").grown(3)
KEY = make_key("lab")
HOST_KEYS = {node.name: make_key(node.name) for node in PLAN.nodes}


@pytest.fixture(params=["lab", 'my lab\'s "$(x)" ü'])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    inventory.write(path, PLAN, KEY, HOST_KEYS)
    return path


def test_hosts(folder: Path) -> None:
    tree = yaml.safe_load((folder / "hosts.yml").read_text())["all"]
    assert tree["children"]["store"]["hosts"]["n2"] == {"ansible_host": "10.77.4.12", "zone": "z2"}
    assert tree["vars"]["ansible_ssh_private_key_file"] == str(folder / "id_ed25519")


@pytest.mark.parametrize(("driver", "skew"), [("namespace", None), ("qemu", 3)])
def test_only_clocks_of_their_own_may_differ(driver: str, skew: int | None, tmp_path: Path) -> None:
    tree = yaml.safe_load(inventory.hosts_yaml(replace(PLAN, driver=driver), tmp_path))["all"]
    assert tree["vars"].get("etcd_clock_skew") == skew


def test_coreops_reads_it(folder: Path) -> None:
    found = target(load_inventory(folder), "n3")
    assert (found.address, found.user, found.become) == ("10.77.4.13", "core", True)
    assert found.identity_files == (folder / "id_ed25519",)
    assert found.known_hosts[0] == folder / "known_hosts"


def test_keys_and_modes(folder: Path) -> None:
    assert (folder / "id_ed25519").stat().st_mode & 0o777 == 0o600
    assert (folder / "known_hosts").read_text().count("ssh-ed25519") == 3
    assert "lab" not in (folder / "known_hosts").read_text().split()[2]


def test_written_again_it_is_the_same(folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    inventory.write(folder, PLAN, KEY, HOST_KEYS)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_remove_leaves_what_is_not_ours(folder: Path) -> None:
    (folder / "group_vars").mkdir()
    inventory.remove(folder)
    assert [file.name for file in folder.iterdir()] == ["group_vars"]


def test_an_inventory_of_somebody_else_is_neither_overwritten_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {}\n")
    with pytest.raises(InputError, match="was not written by a lab"):
        inventory.write(tmp_path, PLAN, KEY, HOST_KEYS)
    inventory.remove(tmp_path)
    assert (tmp_path / "hosts.yml").read_text() == "all: {}\n"


def test_a_private_key_is_not_shown_in_a_repr() -> None:
    assert "PRIVATE" not in repr(KEY)


def test_a_key_is_made_once(tmp_path: Path) -> None:
    first = ensure_key(tmp_path / "k", "x")
    assert ensure_key(tmp_path / "k", "x") == first
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
