"""``$private_ipv4`` is filled in, left to the node on purpose, or an error with its place; never an empty text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from coreops.cloudconfig.addresses import NOWHERE, settle
from coreops.cloudconfig.emit import emit
from coreops.cloudconfig.marked import mark, parse
from coreops.cloudconfig.platforms.platform import Substitution
from coreops.errors import InputError
from coreops.model import Position

HERE = Position("f", 1, 1)
FILLS_IN = replace(NOWHERE, name="here", substitutions={"private_ipv4": Substitution("metadata", "a test")})


def test_an_address_of_the_inventory_is_filled_in() -> None:
    found = settle(parse("a: [{b: 'http://$private_ipv4:80'}]", "f"), "coreos", NOWHERE, {"private_ipv4": "192.0.2.1"})
    assert found.plain == {"a": ({"b": "http://192.0.2.1:80"},)}


def test_the_node_fills_in_what_the_platform_knows() -> None:
    text = parse("a: '$private_ipv4'", "f")
    assert settle(text, "coreos", FILLS_IN, {}).plain == {"a": "$private_ipv4"}
    with pytest.raises(InputError, match="nobody knows"):
        settle(text, "cloud-init", FILLS_IN, {})


@pytest.mark.parametrize("target", ["coreos", "cloud-init"])
def test_nobody_knows_it(target: str) -> None:
    with pytest.raises(InputError) as caught:
        settle(parse("a:\n  b: x $public_ipv6", "f"), target, NOWHERE, {})
    assert caught.value.where == "f:2:6"


def test_an_escape_is_for_coreos_cloudinit_only() -> None:
    text = parse(r"a: '\$private_ipv4'", "f")
    assert settle(text, "coreos", NOWHERE, {}).plain == {"a": r"\$private_ipv4"}
    assert settle(text, "cloud-init", NOWHERE, {}).plain == {"a": "$private_ipv4"}


def test_an_escape_that_yaml_would_destroy_is_refused() -> None:
    with pytest.raises(InputError, match="does not survive"):
        settle(parse(r'a: " \\$private_ipv4\n"', "f"), "coreos", NOWHERE, {})


def as_coreos_cloudinit(text: str, values: dict[str, str]) -> str:
    """What its environment does to raw text: one pass for each variable, then the escapes come off."""
    for name, value in values.items():
        text = re.sub(rf"([^\\]|^)\${name}", lambda match, value=value: f"{match[1]}{value}", text)
        text = text.replace(f"\\${name}", f"${name}")
    return text


PIECES = st.lists(
    st.sampled_from(
        ["$private_ipv4", r"\$private_ipv4", "a", " ", ":", "\n", "\t", "'", '"', "#", "\\", "é", "\x07", "$", "- "]
    ),
    max_size=8,
).map("".join)


@given(PIECES)
def test_what_the_node_reads_is_what_was_meant(text: str) -> None:
    """Replaced before YAML or after it: the value is the same."""
    values = {"private_ipv4": "192.0.2.1"}
    try:
        settled = settle(mark(text, HERE), "coreos", FILLS_IN, {}).value
    except InputError:
        assume(False)
    raw = as_coreos_cloudinit(emit({"a": settled}), values)
    assert yaml.safe_load(raw) == {"a": as_coreos_cloudinit(text, values)}
