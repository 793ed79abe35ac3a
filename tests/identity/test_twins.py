from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coreops.errors import InputError
from coreops.identity import written
from coreops.identity.identity import Identity
from coreops.identity.twins import Seen, Twin, twins
from coreops.inventory import load_inventory
from coreops.model import Position


def seen(number: int, **changes: Any) -> Seen:
    own = {
        "machine_id": f"m{number}", "boot_id": f"b{number}", "hostname": f"n{number}",
        "macs": (f"mac{number}",), "addresses": (f"10.0.0.{number}",),
    }  # fmt: skip
    claims = frozenset({f"10.0.0.{number}"})
    return Seen(f"n{number}", Identity(**{**own, **changes}), Position("hosts.yml", number), claims)


def found(**changes: Any) -> tuple[Twin, ...]:
    return twins([seen(1), seen(2, **changes), seen(3)])


def test_three_machines() -> None:
    assert found() == ()


@pytest.mark.parametrize(
    ("changes", "what", "advice"),
    [
        ({"machine_id": "m1"}, "machine-id", "rm /etc/machine-id"),
        ({"machine_id": "m1", "boot_id": "b1"}, "machine-id", "out of the inventory"),
        ({"hostname": "n1"}, "host name", "host name"),
        ({"macs": ("other", "mac1")}, "MAC address", "clone"),
        ({"addresses": ("10.0.0.2", "10.0.0.1")}, "address", "two machines hold one address"),
    ],
)
def test_what_two_must_not_share(changes: dict[str, Any], what: str, advice: str) -> None:
    (twin,) = found(**changes)
    assert twin.what == what
    assert advice in twin.advice
    assert "n1 (hosts.yml:1) and n2 (hosts.yml:2) have" in twin.why


def test_one_machine_under_two_names_is_told_once() -> None:
    (twin,) = twins([seen(1), Seen("again", seen(1).identity)])
    assert (twin.what, twin.first.host, twin.second.host) == ("machine-id", "n1", "again")


def test_what_nobody_said_is_no_twin() -> None:
    assert twins([Seen("a", Identity()), Seen("b", Identity())]) == ()


def test_addresses_that_all_have_are_nobodys() -> None:
    """docker0 is 172.17.0.1 everywhere."""
    assert twins([seen(1, addresses=("172.17.0.1",)), seen(2, addresses=("172.17.0.1",))]) == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("n1: {ansible_host: 10.0.0.1}\n    n2: {ansible_host: 10.0.0.1}", "n1 and n2 have the same address: 10.0.0.1"),
        ("n1: {private_ipv4: 10.0.0.1}\n    n2: {private_ipv4: 10.0.0.1}", "n1 and n2 have the same address: 10.0.0.1"),
        (
            "n1: {node_mac: '52:54:00:00:00:01'}\n    n2: {node_mac: 52-54-00-00-00-01}",
            "n1 and n2 have the same mac: 52:54:00:00:00:01",
        ),
    ],
)
def test_an_inventory_with_one_machine_twice(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "hosts.yml"
    file.write_text(f"all:\n  hosts:\n    {text}\n")
    with pytest.raises(InputError) as caught:
        written.check(load_inventory(file))
    assert caught.value.what == what
    assert f"{file}:4" in str(caught.value.where)
    assert f"{file}:3" in str(caught.value.why)


def test_what_may_be_the_same(tmp_path: Path) -> None:
    """Ports of one forwarder; and two sites that number their machines alike, each behind its own jump host."""
    file = tmp_path / "hosts.yml"
    file.write_text(
        "all:\n  hosts:\n"
        "    n1: {ansible_host: 127.0.0.1, ansible_port: 2201}\n    n2: {ansible_host: 127.0.0.1, ansible_port: 2202}\n"
        "    a: {ansible_host: 10.0.0.1, private_ipv4: 10.0.0.1, coreops_proxy_jump: east}\n"
        "    b: {ansible_host: 10.0.0.1, private_ipv4: 10.0.0.1, coreops_proxy_jump: west}\n"
    )
    loaded = load_inventory(file)
    written.check(loaded)
    assert written.claims(loaded, "n1") == written.claims(loaded, "a") == frozenset()
