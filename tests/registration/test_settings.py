"""Who is to be registered, and what the inventory says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.inventory import load_inventory
from coreops.registration import settings
from coreops.registration.settings import Wanted

STORE = """\
all:
  children:
    store:
      vars: {zone: a}
      hosts:
        n1: {ansible_host: 10.0.0.1}
        n2: {ansible_host: 10.0.0.2, etcd_address: 10.1.0.2}
    others:
      hosts:
        w1: {ansible_host: 10.0.0.3, private_ipv4: 10.1.0.3, node_labels: {disk: ssd, n: 3}, scheduler: swarm}
        w2: {ansible_host: 10.0.0.4, node_registry: false, scheduler: none}
"""


def read(folder: Path, text: str) -> Wanted | None:
    (folder / "hosts.yml").write_text(text)
    return settings.read(load_inventory(folder), {})


def test_every_host_is_registered_but_those_that_must_not(tmp_path: Path) -> None:
    found = read(tmp_path, STORE)
    assert found is not None
    assert {node.host: node.wanted for node in found.nodes} == {"n1": True, "n2": True, "w1": True, "w2": False}
    said = {node.host: node.said for node in found.nodes}
    assert [said[host]["address"] for host in said] == ["10.0.0.1", "10.1.0.2", "10.1.0.3", "10.0.0.4"]
    assert said["w1"]["labels"] == {"disk": "ssd", "n": "3"}
    assert (said["w1"]["scheduler"], said["w2"]["scheduler"]) == ("swarm", "")
    assert (said["n1"]["zone"], said["w1"]["zone"]) == ("a", "")
    assert [leaf.file for leaf in found.leaves] == ["registration/n1", "registration/n2", "registration/w1"]
    assert not any(leaf.sans for leaf in found.leaves)


def test_without_a_store_nobody_is(tmp_path: Path) -> None:
    assert read(tmp_path, "all: {hosts: {n1: {}}}\n") is None


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("node_registry: maybe", "node_registry is not usable"),
        ("etcd_flags: {enable-grpc-gateway: false}", "without its JSON gateway"),
        ("node_labels: [a]", "node_labels is not usable"),
        ('node_labels: {a: "x\\ny"}', "node_labels is not usable"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, own: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as failed:
        read(tmp_path, f"all:\n  children:\n    store:\n      hosts:\n        n1:\n          {own}\n")
    assert "hosts.yml:6" in str(failed.value)
