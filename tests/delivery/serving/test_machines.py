"""Which node a machine is."""

from __future__ import annotations

import pytest

from coreops.delivery.serving.machines import Machines, Match, Named
from coreops.errors import InputError
from coreops.model import Position

UUID = "00112233-4455-6677-8899-aabbccddeeff"
SWAPPED = "33221100-5544-7766-8899-aabbccddeeff"


def named(host: str, kind: str, value: object, line: int = 1) -> Named:
    return Named(host, kind, value, Position("hosts.yml", line, 3))  # type: ignore[arg-type]


MACHINES = Machines.of(
    [
        named("n1", "mac", "52:54:00:00:00:01"),
        named("n1", "mac", "52:54:00:00:00:02"),
        named("n1", "uuid", UUID),
        named("n2", "serial", "SN 2"),
    ]
)


@pytest.mark.parametrize(
    ("selectors", "node"),
    [
        ([("mac", "525400000001")], "n1"),
        ([("mac", "52-54-00-00-00-02")], "n1"),
        ([("uuid", UUID.upper())], "n1"),
        ([("uuid", SWAPPED)], "n1"),
        ([("serial", " sn 2 ")], "n2"),
        ([("mac", "52:54:00:00:00:99"), ("serial", "SN 2")], "n2"),
        ([("mac", "52:54:00:00:00:99")], None),
        ([("mac", "$(id)")], None),
        ([], None),
    ],
)
def test_find(selectors: list[tuple[str, str]], node: str | None) -> None:
    assert MACHINES.find(selectors).node == node  # type: ignore[arg-type]


def test_two_nodes_in_one_request() -> None:
    found = MACHINES.find([("mac", "525400000001"), ("uuid", UUID), ("serial", "SN 2")])
    assert found == Match("n1", "n2", "mac 52:54:00:00:00:01")


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("mac", "52:54:00:00:00:01", "525400000001"),
        ("serial", "SN1", "sn1"),
        ("uuid", UUID, UUID.upper()),
        ("uuid", UUID, SWAPPED),
    ],
)
def test_one_name_for_two_hosts(kind: str, one: str, other: str) -> None:
    with pytest.raises(InputError) as caught:
        Machines.of([named("n1", kind, one, 4), named("n2", kind, other, 9)])
    assert "n1 and n2 have the same" in str(caught.value)
    assert "hosts.yml:9:3" in str(caught.value)
    assert "hosts.yml:4:3" in str(caught.value)
    assert ("other order" in str(caught.value)) == (other == SWAPPED)


def test_a_bad_name_has_its_place() -> None:
    with pytest.raises(InputError, match=r"hosts.yml:7:3: the mac of n1 names no machine"):
        Machines.of([named("n1", "mac", 41135754000, 7)])


def test_the_same_host_may_say_it_twice() -> None:
    assert Machines.of([named("n1", "mac", "525400000001"), named("n1", "mac", "52:54:00:00:00:01")]).hosts() == {"n1"}
