"""Substitution as coreos-cloudinit does it, without its empty texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.platforms.platform import VARIABLES
from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.cloudconfig.platforms.substitution import place, resolve, uses
from coreops.errors import InputError

QEMU, VAGRANT, EC2 = PLATFORMS["qemu"], PLATFORMS["vagrant"], PLATFORMS["ec2"]
ADDRESSES = {
    "public_ipv4": "198.51.100.7",
    "private_ipv4": "10.0.0.7",
    "public_ipv6": "2001:db8::7",
    "private_ipv6": "fd00::7",
}
PARTS = st.sampled_from(["a", " ", "\n", "\\", "$", "é", "{", *(f"${name}" for name in VARIABLES), "\\$private_ipv4"])


def test_what_is_known_is_filled_in() -> None:
    assert resolve("http://$private_ipv4:2380 $public_ipv6", QEMU, ADDRESSES) == "http://10.0.0.7:2380 2001:db8::7"


def test_what_the_node_surely_knows_is_left_to_it() -> None:
    assert resolve("$private_ipv4", VAGRANT, {}) == "$private_ipv4"


@pytest.mark.parametrize(("platform", "text"), [(QEMU, "a\n b $private_ipv4"), (EC2, "a\n b $public_ipv4")])
def test_what_nobody_knows_is_an_error_with_its_place(platform: object, text: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(text, platform, {}, "n1.yml")  # type: ignore[arg-type]
    assert caught.value.where == "n1.yml:2:4"


def test_another_reader_substitutes_nothing() -> None:
    with pytest.raises(InputError, match="nobody knows"):
        resolve("$private_ipv4", VAGRANT, {}, by_node=False)
    assert resolve(r"\$private_ipv4", VAGRANT, {}, by_node=False) == "$private_ipv4"


def test_an_escape_stays_for_the_node_to_take_off() -> None:
    assert resolve(r"\$private_ipv4x", QEMU, ADDRESSES) == r"\$private_ipv4x"


def test_a_longer_word_is_an_error() -> None:
    with pytest.raises(InputError, match=r"\$private_ipv4_gateway would become"):
        resolve("$private_ipv4_gateway", QEMU, ADDRESSES)


@pytest.mark.parametrize("bad", ["10.0.0.7\nusers: []", "$(reboot)", "fd00::7", "n1.example.com", "-"])
def test_an_address_is_an_address(bad: str) -> None:
    with pytest.raises(InputError, match="the value of"):
        resolve("$private_ipv4", QEMU, {"private_ipv4": bad})


@given(st.lists(PARTS).map("".join))
def test_it_does_what_the_node_would_do(text: str) -> None:
    """Resolved here and then taken through the node's own two patterns: as if the node had known all addresses."""
    try:
        done = resolve(text, QEMU, ADDRESSES)
    except InputError:
        assert any(use.prefix_of for use in uses(text))
        return
    assert node(done, {}) == node(text, ADDRESSES)


def node(text: str, addresses: dict[str, str]) -> str:
    """A variable that follows a backslash is literal, every other one is replaced."""
    pattern = r"(\\?)\$(" + "|".join(VARIABLES) + ")"
    return re.sub(pattern, lambda m: f"${m[2]}" if m[1] else addresses.get(m[2], ""), text)


def test_places_count_from_one() -> None:
    assert str(place("ab\ncd", 0, "f")) == "f:1:1"
    assert str(place("ab\ncd", 4, "f")) == "f:2:2"
