from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import InputError, RefusedError
from coreops.inventory import load_inventory
from coreops.providers.vagrant.inventory import hosts_yaml, stale, write
from coreops.providers.vagrant.lab_file import parse

LAB = parse("instances: 4", "lab.yml")


def test_coreops_reads_what_is_written(tmp_path: Path) -> None:
    write(LAB, tmp_path / "lab.yml", tmp_path / "inventory")
    inventory = load_inventory(tmp_path / "inventory")
    assert inventory.members("store") == ("core-01", "core-02", "core-03")
    assert inventory.members("workers") == ("core-04",)
    found = inventory.vars("core-02")
    assert found["etcd_clock_skew"] == 3
    assert found["private_ipv4"] == found["etcd_address"] == "172.17.8.102"
    assert found["node_ssh_keys"] == [(tmp_path / "inventory/id_ed25519.pub").read_text().strip()]
    assert (tmp_path / "inventory/id_ed25519").stat().st_mode & 0o777 == 0o600


def test_a_second_time_nothing_is_written(tmp_path: Path) -> None:
    def state() -> dict[str, tuple[int, bytes]]:
        files = (tmp_path / "inventory").iterdir()
        return {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}

    write(LAB, tmp_path / "lab.yml", tmp_path / "inventory")
    before = state()
    write(LAB, tmp_path / "lab.yml", tmp_path / "inventory")
    assert state() == before


def test_one_machine_has_no_workers() -> None:
    assert "workers" not in hosts_yaml(parse("instances: 1", "lab.yml"), "key")


def test_an_inventory_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {mine: }}\n")
    with pytest.raises(InputError, match="would be overwritten"):
        write(LAB, tmp_path / "lab.yml", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["hosts.yml"]


def test_a_machine_that_lab_yml_no_longer_has_is_told(tmp_path: Path) -> None:
    for name in ("core-01", "core-07"):
        folder = tmp_path / f".vagrant/machines/{name}/libvirt"
        folder.mkdir(parents=True)
        (folder / "id").write_text("0")
    (tmp_path / ".vagrant/machines/core-09/libvirt").mkdir(parents=True)  # destroyed: no id
    assert stale(tmp_path / ".vagrant", {"core-01"}) == ("core-07",)
    with pytest.raises(RefusedError, match=r"1 machine of Vagrant's not in lab\.yml: core-07"):
        write(LAB, tmp_path / "lab.yml", tmp_path / "inventory")
    assert not (tmp_path / "inventory").exists()
