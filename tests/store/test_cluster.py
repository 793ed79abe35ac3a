from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.store import cluster
from coreops.store.cluster import Member


def member(name: str = "n1", address: str = "10.0.0.1", **variables: Any) -> Member:
    return cluster.member(name, variables, address, lambda host, key: f"hosts.yml:7:3 {key}")


def test_the_address_of_ssh_is_the_default() -> None:
    made = member(zone="z1")
    assert made.peer_url == "https://10.0.0.1:2380"
    assert made.listen_client_urls == "https://10.0.0.1:2379,https://127.0.0.1:2379"
    assert made.leaf.sans == ("10.0.0.1", "n1", "127.0.0.1", "localhost")


def test_everything_set() -> None:
    made = member(
        etcd_address="fd00::1", etcd_extra_sans=["db.example"], etcd_data_dir="/srv/etcd", etcd_arch="arm64",
        etcd_client_port=4001, etcd_peer_port="7001", etcd_version="3.5.17",
        etcd_flags={"snapshot-count": 5000, "auto_compaction_mode": "revision", "ETCD_DEBUG": True},
    )  # fmt: skip
    assert made.client_url == "https://[fd00::1]:4001"
    assert made.peer_url == "https://[fd00::1]:7001"
    assert made.flags == {"ETCD_AUTO_COMPACTION_MODE": "revision", "ETCD_DEBUG": "true", "ETCD_SNAPSHOT_COUNT": "5000"}
    assert "db.example" in made.leaf.sans


def test_a_member_known_by_name_listens_everywhere() -> None:
    made = member(address="n1.example")
    assert made.listen_client_urls == "https://0.0.0.0:2379"
    assert made.peer_url == "https://n1.example:2380"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"etcd_adress": "10.0.0.2"}, "unknown variable etcd_adress"),
        ({"etcd_address": "10.0.0.1 2"}, "etcd_address is not usable"),
        ({"etcd_address": "{{ ip }}"}, "etcd_address is not usable"),
        ({"etcd_client_port": 0}, "etcd_client_port is not usable"),
        ({"etcd_client_port": True}, "etcd_client_port is not usable"),
        ({"etcd_client_port": 2380}, "are the same"),
        ({"etcd_data_dir": "/"}, "etcd_data_dir is not usable"),
        ({"etcd_clock_skew": 0}, "etcd_clock_skew is not usable"),
        ({"etcd_clock_skew": "1 s"}, "etcd_clock_skew is not usable"),
        ({"etcd_clock_skew": float("nan")}, "etcd_clock_skew is not usable"),
        ({"etcd_data_dir": "/var/$(reboot)"}, "etcd_data_dir is not usable"),
        ({"etcd_data_dir": "/var/../etc"}, "etcd_data_dir is not usable"),
        ({"etcd_version": 3.5}, "etcd_version is not usable"),
        ({"etcd_extra_sans": "one"}, "etcd_extra_sans is not usable"),
        ({"etcd_flags": ["x"]}, "etcd_flags is not usable"),
        ({"etcd_flags": {"initial-cluster": "x"}}, "etcd_flags is not usable"),
        ({"etcd_flags": {"peer-cert-file": "x"}}, "etcd_flags is not usable"),
        ({"etcd_flags": {"log-level": "a\nETCD_NAME=x"}}, "etcd_flags is not usable"),
        ({"etcd_flags": {"log-level": None}}, "etcd_flags is not usable"),
    ],
)
def test_mistakes_name_their_place(variables: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        member(**variables)
    assert message in caught.value.what
    assert (caught.value.where or "").startswith("hosts.yml:7:3")


def test_did_you_mean() -> None:
    with pytest.raises(InputError) as caught:
        member(etcd_adress="x")
    assert caught.value.next == "did you mean 'etcd_address'?"


@pytest.mark.parametrize("name", ["a,b", "a=b", "a b", "a\nb", "a/b"])
def test_names_that_etcd_cannot_carry(name: str) -> None:
    with pytest.raises(InputError, match="cannot be a member"):
        member(name=name)


def test_one_address_twice() -> None:
    with pytest.raises(InputError, match="hosts n1 and n3 have one address"):
        cluster.check([member("n1"), member("n2", "10.0.0.2"), member("n3")], "hosts.yml")


def test_an_even_number_is_refused() -> None:
    with pytest.raises(InputError, match="a store of 2 members is refused"):
        cluster.check([member("n1"), member("n2", "10.0.0.2")], "hosts.yml")


def test_initial_cluster() -> None:
    both = [member("n1"), member("n2", "fd00::2")]
    assert cluster.initial_cluster(both) == "n1=https://10.0.0.1:2380,n2=https://[fd00::2]:2380"


@given(st.dictionaries(st.text(max_size=12), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))))
def test_flags_never_bring_a_second_line(flags: dict[str, Any]) -> None:
    try:
        made = member(etcd_flags=flags)
    except InputError:
        return
    for key, value in made.flags.items():
        assert key.startswith("ETCD_")
        assert "\n" not in key + value
