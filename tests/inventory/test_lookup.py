"""``*.coreops.yml``: what such a file may say, and what an answer becomes. Nobody is asked here."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.inventory import Inventory, load_inventory, lookups, target
from coreops.inventory.found import FORMAT, named
from coreops.inventory.lookup import read_lookup

NAME = "cloud.coreops.yml"
FILE = """\
provider: ec2
cluster: prod
ec2_regions: [eu-west-1, us-east-1]
groups:
  store: {tag:role: store}
  old: {region: us-east-1, tag:role: [store, worker]}
group_by: [zone, tag:role, market]
vars: {ansible_user: core}
"""


def machine(node: str, id: str = "", **facts: str) -> dict[str, Any]:
    place = {"region": "eu-west-1", "zone": "eu-west-1a", "type": "t3.small"}
    return {
        "node": node,
        "id": id or f"i-{node}",
        "state": "running",
        "addresses": {"private_ipv4": "10.0.0.1", "public_ipv4": "192.0.2.1"},
        "facts": {**place, **{key.replace("__", ":"): value for key, value in facts.items()}},
        "host_keys": [],
        "known_hosts": [],
    }


def found(folder: Path, *machines: dict[str, Any], text: str = FILE, **beside: str) -> Inventory:
    (folder / NAME).write_text(text)
    for name, content in beside.items():
        (folder / f"{name}.yml").write_text(content)
    (lookup,) = lookups(folder)
    lookup.answer.parent.mkdir(parents=True, exist_ok=True)
    kept = {"format": FORMAT, "asked": lookup.asked, "at": 1.0, "machines": list(machines)}
    lookup.answer.write_text(json.dumps(kept))
    return load_inventory(folder)


def test_machines_become_hosts(tmp_path: Path) -> None:
    inventory = found(
        tmp_path,
        machine("n1", tag__role="store", tag__Name="the first"),
        machine("w1", region="us-east-1", zone="us-east-1b", tag__role="worker", market="spot"),
    )
    assert list(inventory.hosts) == ["n1", "w1"]
    assert inventory.members("store") == ("n1",)
    assert inventory.members("old") == ("w1",)
    assert inventory.group_names("n1") == ("store", "tag_role_store", "zone_eu_west_1a")
    assert inventory.group_names("w1") == ("market_spot", "old", "tag_role_worker", "zone_us_east_1b")
    known = inventory.vars("n1")
    assert (known["zone"], known["region"], known["private_ipv4"]) == ("eu-west-1a", "eu-west-1", "10.0.0.1")
    assert known["machine"]["tags"] == {"role": "store", "Name": "the first"}
    assert known["machine"]["id"] == "i-n1"
    reached = target(inventory, "n1")
    assert (reached.address, reached.user) == ("192.0.2.1", "core")


def test_what_is_written_by_hand_is_stronger(tmp_path: Path) -> None:
    hosts = "all: {hosts: {n1: {zone: mine}, metal: }, vars: {coreops_proxy_jump: jump}}\n"
    inventory = found(tmp_path, machine("n1"), machine("n2"), hosts=hosts)
    assert list(inventory.hosts) == ["n1", "n2", "metal"]
    assert inventory.vars("n1")["zone"] == "mine"
    assert target(inventory, "n2").address == "10.0.0.1", "through a jump host"


def test_names_that_two_have_or_that_are_none_are_ids(tmp_path: Path) -> None:
    inventory = found(
        tmp_path, *(machine(*each) for each in (("n1", "i-1"), ("n1", "i-2"), ("a b\n", "i-3"), ("n[1:9]", "i-4")))
    )
    assert list(inventory.hosts) == ["i-1", "i-2", "i-3", "i-4"]


@given(st.lists(st.text(max_size=12)))
def test_every_machine_has_a_name_of_its_own(nodes: list[str]) -> None:
    machines = [{"node": node, "id": f"i-{number}"} for number, node in enumerate(nodes)]
    names = [name for _, name in named(machines)]
    assert len(set(names)) == len(names) == len(nodes)


def test_nobody_has_asked_yet(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(FILE)
    with pytest.raises(InputError, match="have not been looked up") as caught:
        load_inventory(tmp_path)
    assert caught.value.next == "coreops inventory list --refresh"


def test_another_question_needs_another_answer_and_a_longer_ttl_does_not(tmp_path: Path) -> None:
    found(tmp_path, machine("n1"))
    (tmp_path / NAME).write_text(FILE + "ttl: 86400\n")
    assert list(load_inventory(tmp_path).hosts) == ["n1"]
    (tmp_path / NAME).write_text(FILE.replace("us-east-1]", "us-east-2]"))
    with pytest.raises(InputError, match="have not been looked up"):
        load_inventory(tmp_path)


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"format": 1}', '{"format": 9}', "\0"])
def test_an_answer_that_is_broken_is_none(tmp_path: Path, kept: str) -> None:
    found(tmp_path, machine("n1"))
    (lookup,) = lookups(tmp_path / NAME)
    lookup.answer.write_text(kept)
    with pytest.raises(InputError, match="have not been looked up"):
        load_inventory(tmp_path / NAME)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("provider: ec2", "provder: ec2", "f:1: it names no provider"),
        ("provider: ec2", "- ec2", "f:"),
        ("cluster: prod", "clutser: prod", "f:2:1: unknown key 'clutser'"),
        ("cluster: prod", "cluster: [a]", "f:2:1: cluster must be a text"),
        ("cluster: prod", "ttl: 60", "one of them"),
        ("cluster: prod", "cluster: prod\ntags: {a: b}", "one of them"),
        ("cluster: prod", "cluster: prod\nttl: soon", "f:3:1: ttl is a number"),
        ("cluster: prod", "cluster: prod\nttl: -1", "f:3:1: ttl is a number"),
        ("cluster: prod", "cluster: prod\nhost_keys: 1", "f:3:1: host_keys is true or false"),
        ("cluster: prod", "tags: [a]", "f:2:1: tags must be a mapping"),
        ("{tag:role: store}", "{role: store}", "f:4:1: machines have no 'role'"),
        ("{tag:role: store}", "{}", "group 'store' has no condition"),
        ("{tag:role: store}", "{tag:role: [[a]]}", "text or a list of texts"),
        ("group_by: [zone", "group_by: [zne", "machines have no 'zne'"),
        ("vars: {ansible_user: core}", "vars: core", "f:8:1: vars must be a mapping"),
    ],
)
def test_bad_files(old: str, new: str, said: str) -> None:
    assert old in FILE
    with pytest.raises(InputError) as caught:
        read_lookup(FILE.replace(old, new), "f")
    assert said in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InputError):
        assert read_lookup(f"provider: ec2\ncluster: c\n{text}", "f").provider == "ec2"
