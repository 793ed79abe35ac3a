"""Where machines are kept, and which addresses they get."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import CoreopsError
from coreops.providers.qemu import place
from coreops.providers.qemu.place import Cluster, Record

HOSTILE = ["a b", "'", "$(x)", "../../etc", "n\u00e9", "-rf", "x" * 63]


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_names_are_folders_and_taps_are_plain(tmp_path: Path, name: str) -> None:
    where = Cluster(name, tmp_path).place(name)
    assert where.folder.is_relative_to(tmp_path)
    assert ".." not in where.folder.parts
    assert len(where.tap) <= 15
    assert len(where.cluster.names.uplink) <= 15
    where.cluster.settle("10.78.3.0/24")
    record = Record(name, name, place.new_id(name, name), "10.78.3.11", {"memory": "1"})
    where.write(record)
    assert where.record() == record
    assert tuple(Cluster(name, tmp_path).records()) == (record,)
    assert [each.record() for each in place.of_node(tmp_path, name)] == [record]
    assert list(place.subnets(tmp_path)) == [IPv4Network("10.78.3.0/24")]
    assert (where.folder.stat().st_mode | where.cluster.folder.stat().st_mode) & 0o077 == 0


def test_clusters_do_not_see_each_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Cluster(name, tmp_path).settle("10.78.0.0/24")
        Cluster(name, tmp_path).place("n1").write(Record("n1", name, f"id-{name}", "10.78.0.11"))
    assert [each.id for each in Cluster("a", tmp_path).records()] == ["id-a"]
    assert sorted(each.cluster.name for each in place.of_node(tmp_path, "n1")) == ["a", "b"]
    assert list(place.of_node(tmp_path, "n2")) == []


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    where = Cluster("c", tmp_path).place("n1")
    where.write(Record("n1", "c", "id", "10.78.0.11"))
    (where.folder / "machine.json").write_text('{"node": 1}')
    with pytest.raises(CoreopsError) as caught:
        where.record()
    assert str(where.folder) in (caught.value.where or "")
    assert caught.value.next


def test_two_machines_of_a_node_are_told_apart() -> None:
    assert len({place.new_id("c", "n1") for _ in range(100)}) == 100


def test_networks_run_out() -> None:
    assert place.free_subnet([IPv4Network("0.0.0.0/0"), IPv4Network("10.78.0.0/24")]) == "10.78.1.0/24"
    with pytest.raises(CoreopsError, match="no /24"):
        place.free_subnet([place.POOL])


@given(st.integers(20, 28), st.integers(1, 20))
def test_addresses_are_distinct_hosts_of_the_network_until_they_run_out(prefix: int, count: int) -> None:
    network = IPv4Network(f"10.0.0.0/{prefix}")
    taken: list[str] = []
    for _ in range(count):
        try:
            address = place.free_address(str(network), taken)
        except CoreopsError:
            assert len(taken) >= network.num_addresses // 2 - 6
            return
        assert IPv4Address(address) in network
        assert address not in (str(network[0]), str(network[1]), str(network[-1]), *taken)
        taken.append(address)
