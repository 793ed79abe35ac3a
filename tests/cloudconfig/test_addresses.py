"""``$private_ipv4`` is filled in, left to the node on purpose, or an error with its place; never an empty text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coreops.cloudconfig.addresses import NOWHERE, settle
from coreops.cloudconfig.marked import parse
from coreops.cloudconfig.platforms.platform import Substitution
from coreops.errors import InputError

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
