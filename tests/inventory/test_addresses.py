"""Hosts that share an address."""

from __future__ import annotations

from coreops.inventory import SharedAddress, duplicate_addresses
from coreops.model import Position
from tests.inventory.support import from_ini


def test_one_address_twice_is_found_however_it_is_written() -> None:
    inventory = from_ini(
        "a ansible_host=10.0.0.1\nb coreops_address=10.0.0.1 ansible_port=22\n10.0.0.1\n"
        "c ansible_host=2001:db8:0::1\nd ansible_host=2001:DB8::1\nNode.example\ne ansible_host=node.EXAMPLE.\nf\n"
    )
    assert duplicate_addresses(inventory) == (
        SharedAddress(
            "10.0.0.1", 22, ("a", "b", "10.0.0.1"), (Position("f", 1, 3), Position("f", 2, 3), Position("f", 3, 1))
        ),
        SharedAddress("2001:db8::1", 22, ("c", "d"), (Position("f", 4, 3), Position("f", 5, 3))),
        SharedAddress("node.example", 22, ("Node.example", "e"), (Position("f", 6, 1), Position("f", 7, 3))),
    )


def test_ports_tell_machines_behind_one_address_apart() -> None:
    inventory = from_ini("a:2200 ansible_host=127.0.0.1\nb:2222 ansible_host=127.0.0.1\n")
    assert duplicate_addresses(inventory) == ()


def test_templates_are_filled_in_for_each_host() -> None:
    inventory = from_ini("a ansible_host='{{ x }}'\nb ansible_host='{{ x }}'\n")
    assert duplicate_addresses(inventory, render=lambda host: lambda text, position: f"10.0.0.{host}") == ()
    (shared,) = duplicate_addresses(inventory, render=lambda host: lambda text, position: "10.0.0.1")
    assert shared.hosts == ("a", "b")


def test_only_the_hosts_asked_for_are_compared() -> None:
    inventory = from_ini("n[1:3] ansible_host=10.0.0.1\n")
    assert duplicate_addresses(inventory, ["n1"]) == ()
    assert duplicate_addresses(inventory, ["n1", "n3"])[0].hosts == ("n1", "n3")
