"""Host patterns are set algebra over hosts and groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.inventory import Inventory
from coreops.inventory.patterns import split
from tests.inventory.support import from_ini, from_yaml

HOSTS = [f"n{number}" for number in range(8)]
GROUPS = ["red", "green", "blue"]
PARTS = st.lists(st.tuples(st.sampled_from(["", "&", "!"]), st.sampled_from([*GROUPS, *HOSTS, "all"])), min_size=1)


def small(members: dict[str, list[str]]) -> Inventory:
    groups = {name: {"hosts": dict.fromkeys(hosts)} for name, hosts in members.items()}
    return from_yaml(repr({"all": {"hosts": dict.fromkeys(HOSTS)}, **groups}).replace("None", "null"))


@given(PARTS, st.fixed_dictionaries({group: st.lists(st.sampled_from(HOSTS), unique=True) for group in GROUPS}))
def test_union_then_intersection_then_difference(parts: list[tuple[str, str]], members: dict[str, list[str]]) -> None:
    inventory = small(members)
    sets = {**{name: set(hosts) for name, hosts in members.items()}, **{h: {h} for h in HOSTS}, "all": set(HOSTS)}
    chosen = [sets[name] for sign, name in parts if sign == ""]
    expected = set.union(*chosen) if chosen else set(HOSTS)
    for sign, name in parts:
        expected = expected & sets[name] if sign == "&" else expected
    for sign, name in parts:
        expected = expected - sets[name] if sign == "!" else expected
    for separator in ":,":
        found = inventory.match(separator.join(sign + name for sign, name in parts))
        assert set(found) == expected
        assert len(found) == len(expected)


@given(st.integers(-9, 9), st.integers(0, 9), st.integers(0, 9))
def test_subscripts_are_slices_that_include_their_end(index: int, begin: int, end: int) -> None:
    inventory = small({"red": HOSTS, "green": [], "blue": []})
    assert inventory.match(f"red[{begin}:{end}]") == tuple(HOSTS[begin : end + 1])
    assert inventory.match(f"red[{begin}:]") == tuple(HOSTS[begin:])
    if -len(HOSTS) <= index < len(HOSTS):
        assert inventory.match(f"red[{index}]") == (HOSTS[index],)
    else:
        with pytest.raises(InputError, match="out of range"):
            inventory.match(f"red[{index}]")


@given(st.text(max_size=20))
def test_no_pattern_is_a_traceback(pattern: str) -> None:
    inventory = small({"red": ["n1"], "green": [], "blue": []})
    try:
        found = inventory.match(pattern)
    except InputError:
        return
    assert set(found) <= {*HOSTS, "localhost"}


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("a:b", ["a", "b"]),
        ("a,b:c", ["a", "b:c"]),
        (" a , b ", ["a", "b"]),
        ("g[0:2]:!h", ["g[0:2]", "!h"]),
        ("~n[ab]:x", ["~n[ab]", "x"]),
        ("2001:db8::1", ["2001:db8::1"]),
        ("!2001:db8::1", ["!2001:db8::1"]),
        ("a::b:", ["a", "b"]),
        ("a[:b", ["a[", "b"]),
        ("", []),
    ],
)
def test_splitting(pattern: str, parts: list[str]) -> None:
    assert split(pattern) == parts


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("stroe", "pattern 'stroe': no host or group is named 'stroe'\n  next: did you mean 'store'?"),
        ("all:!stroe", "did you mean 'store'"),
        ("all:&stores", "did you mean 'store'"),
        ("stroe[0]", "did you mean 'store'"),
        ("zzz", "next: `coreops inventory graph` shows the names there are"),
        ("", "the pattern is empty"),
        (" , ", "the pattern is empty"),
        ("~(", "is not a regular expression"),
        ("store[9]", "'store' selects 1 hosts"),
        ("!", "no host or group is named ''"),
    ],
)
def test_mistakes_are_named(pattern: str, message: str) -> None:
    inventory = from_ini("[store]\nn1\n")
    with pytest.raises(InputError) as caught:
        inventory.match(pattern)
    assert message in str(caught.value)


def test_globs_and_regexes_may_match_nothing() -> None:
    inventory = from_ini("[store]\nn1\n")
    assert inventory.match("x*") == inventory.match("~x") == inventory.match("ungrouped") == ()


def test_localhost_needs_no_entry_but_an_entry_wins() -> None:
    assert from_ini("n1").match("localhost") == ("localhost",)
    assert from_ini("n1").match("all") == ("n1",)
    assert from_ini("n1").match("localhost", "n1") == ()
    assert from_ini("localhost a=1").vars("localhost") == {"a": 1}
    assert from_ini("n1\n[all:vars]\nx=1").vars("localhost") == {"x": 1, "ansible_connection": "local"}


def test_a_wrong_name_among_many_hosts_is_answered_at_once() -> None:
    inventory = from_ini("[web]\nnode[00001:10000]\n")
    with pytest.raises(InputError, match="did you mean 'node00042'"):
        inventory.match("node00042x")
