"""Which host a machine is, and what it must not be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coreops.adoption.candidate import Answer, Candidate
from coreops.adoption.decide import Proposal, Refused, Register, apart
from coreops.adoption.keep import keep
from coreops.errors import CoreopsError
from coreops.identity.identity import Identity, host_key
from coreops.inventory import load_inventory, target
from coreops.inventory.machines import load_machines
from coreops.provision import book

KEY = host_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBUSOOQihrybCCUCKjdtu0FUVObTw4Fb61RbS9hj6ACi")
OTHER = host_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHU7+/V8vhBdqRFWitRuszmNqNFfy2IsBA8f3Um7a16J")
MAC = "52:54:00:00:00:01"
HOSTS = f"""\
all:
  hosts:
    n1: {{node_mac: "{MAC}"}}
    n2: {{ansible_host: 192.0.2.2}}
    n3:
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hosts.yml").write_text(HOSTS)
    return tmp_path


def register(folder: Path, **known: dict[str, Any]) -> Register:
    return Register.of(load_inventory(folder), known)


def machine(number: int, **changes: Any) -> Answer:
    assert KEY is not None
    own = {"machine_id": f"{number}" * 32, "hostname": f"x{number}", "keys": (KEY,)}
    return Answer(Identity(**{**own, **changes}), KEY, known=False)


def known(number: int, address: str) -> dict[str, Any]:
    return {"id": f"{number}" * 32, "addresses": {"private_ipv4": address}}


@pytest.mark.parametrize(
    ("candidate", "changes", "host", "state"),
    [
        (Candidate("192.0.2.9"), {"macs": ("0a:00:00:00:00:00", MAC)}, "n1", "named"),
        (Candidate("192.0.2.2"), {}, "n2", "named"),
        (Candidate("192.0.2.9", name="n3"), {}, "n3", "named"),
        (Candidate("192.0.2.9"), {"hostname": "n3"}, "n3", "named"),
        (Candidate("192.0.2.9"), {"hostname": "n9"}, "n9", "new"),
        (Candidate("192.0.2.9", name="n8"), {"hostname": "n9"}, "n8", "new"),
    ],
)
def test_which_host_it_is(folder: Path, candidate: Candidate, changes: dict[str, Any], host: str, state: str) -> None:
    found = register(folder).decide(candidate, machine(1, **changes))
    assert isinstance(found, Proposal)
    assert (found.host, found.state) == (host, state)


@pytest.mark.parametrize(
    ("candidate", "changes", "said"),
    [
        (Candidate("192.0.2.9", name="n3"), {"macs": (MAC,)}, "it is n3 and n1 at once"),
        (Candidate("192.0.2.2"), {"macs": (MAC,)}, "it is n1 and n2 at once"),
        (Candidate("192.0.2.9"), {"hostname": "n2"}, "n2 is not at 192.0.2.9 by the inventory"),
        (Candidate("192.0.2.9"), {"hostname": "localhost"}, "cannot be the name of a host"),
        (Candidate("192.0.2.9"), {"hostname": "ungrouped"}, "cannot be the name of a host"),
        (Candidate("192.0.2.9"), {"hostname": "../x"}, "cannot be the name of a host"),
        (Candidate("192.0.2.9"), {"hostname": ""}, "it has no host name"),
        (Candidate("192.0.2.9", told=Identity(machine_id="9" * 32)), {}, "another machine answers"),
        (
            Candidate("192.0.2.9", told=Identity(machine_id="1" * 32, keys=(OTHER,) if OTHER else ())),
            {},
            "it shows another host key than it registered with",
        ),
    ],
)
def test_what_it_must_not_be(folder: Path, candidate: Candidate, changes: dict[str, Any], said: str) -> None:
    found = register(folder).decide(candidate, machine(1, **changes))
    assert isinstance(found, Refused)
    assert said in found.error.what


def test_who_is_known_and_who_takes_a_place(folder: Path) -> None:
    own = register(folder, n3=known(1, "192.0.2.3"))
    same = own.decide(Candidate("192.0.2.3"), replace(machine(1), known=True))
    moved = own.decide(Candidate("192.0.2.33"), machine(1))
    other = own.decide(Candidate("192.0.2.3"), machine(2, hostname="n3"))
    assert isinstance(same, Proposal)
    assert isinstance(moved, Proposal)
    assert isinstance(other, Proposal)
    assert (same.state, moved.state, other.state) == ("known", "named", "named")
    assert (same.host, moved.host, other.host) == ("n3", "n3", "n3")
    assert (moved.replaces, other.replaces) == ("", "1" * 32)


def test_two_that_are_one(folder: Path) -> None:
    own = register(folder)
    first, second = Candidate("192.0.2.8"), Candidate("192.0.2.9")
    pairs = [
        (machine(1), machine(1, hostname="y"), "have the same machine-id"),
        (machine(1, macs=("a",)), machine(2, macs=("a",)), "have the same MAC address"),
        (machine(1, hostname="n3"), machine(2, hostname="n3"), "have the same host name"),
    ]
    for one, two, said in pairs:
        done = apart([own.decide(first, one), own.decide(second, two)])
        assert all(isinstance(each, Refused) and said in each.error.what for each in done)
    named = [own.decide(replace(each, name="n9"), machine(n)) for n, each in enumerate((first, second), 1)]
    assert all(isinstance(each, Refused) and "would both be n9" in each.error.what for each in apart(named))


def test_what_is_kept(folder: Path) -> None:
    new = register(folder).decide(Candidate("192.0.2.9", name="n9"), machine(1))
    assert isinstance(new, Proposal)
    with book.opened(folder) as kept:
        path = keep(new, folder, kept, cluster="", group="")
    assert path == folder / "adopted" / "n9.yml"
    loaded = load_inventory(folder)
    assert target(loaded, "n9").address == "192.0.2.9"
    assert load_machines(folder)["n9"]["id"] == "1" * 32
    assert KEY is not None
    assert f"192.0.2.9 {KEY.line}" in (folder / "known_hosts").read_text()
    # Killed between the two, it is a host without an address; then it is one that the inventory names.
    (folder / ".coreops" / "machines.json").unlink()
    again = register(folder).decide(Candidate("192.0.2.9", name="n9"), machine(1))
    assert isinstance(again, Proposal)
    assert again.state == "named"
    with book.opened(folder) as kept, pytest.raises(CoreopsError, match="cannot be written"):
        keep(new, folder, kept, cluster="", group="")
    assert [each.name for each in (folder / "adopted").iterdir()] == ["n9.yml"]
