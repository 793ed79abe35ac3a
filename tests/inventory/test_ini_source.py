"""INI inventories: the same as YAML ones where both can say it, and every mistake with its place."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.inventory.ini_source import literal
from coreops.model import Position
from tests.inventory.support import from_ini, from_yaml

NAMES = st.text("abcdefgh", min_size=1, max_size=4)
VALUES = (
    st.integers() | st.booleans() | st.text("ab c'\"\\$`#=;:é{}[],-", max_size=8) | st.lists(st.integers(), max_size=3)
)
HOST_VARS = st.dictionaries(NAMES.map("v_{}".format), VALUES, max_size=3)
WORLD = st.dictionaries(
    NAMES.map("g_{}".format),
    st.fixed_dictionaries({"hosts": st.lists(NAMES.map("h_{}".format), unique=True, max_size=4), "vars": HOST_VARS}),
    min_size=1,
    max_size=4,
)


@given(WORLD, st.dictionaries(NAMES.map("h_{}".format), HOST_VARS, max_size=4))
def test_ini_says_what_yaml_says(groups: dict[str, Any], hosts: dict[str, dict[str, Any]]) -> None:
    lines = [" ".join([name, *(shlex.quote(f"{k}={v!r}") for k, v in each.items())]) for name, each in hosts.items()]
    tree: dict[str, Any] = {"ungrouped": {"hosts": hosts}}
    for name, group in groups.items():
        lines += [f"[{name}]", *group["hosts"], f"[{name}:vars]", *(f"{k} = {v!r}" for k, v in group["vars"].items())]
        tree[name] = {"hosts": dict.fromkeys(group["hosts"]), "vars": group["vars"]}
    lines += ["[world:children]", *groups]
    tree["world"] = {"children": dict.fromkeys(groups)}
    ini, yml = from_ini("\n".join(lines)), from_yaml(yaml.safe_dump(tree, sort_keys=False))
    assert set(ini.groups) == set(yml.groups)
    for group in ini.groups:
        assert ini.members(group) == yml.members(group)
    for host in ini.hosts:
        assert ini.vars(host) == yml.vars(host)
        assert ini.group_names(host) == yml.group_names(host)


@given(st.text(max_size=40))
def test_hostile_text_never_ends_in_a_traceback(text: str) -> None:
    where = "f:"
    try:
        from_ini(text)
    except InputError as error:
        where = str(error.where)
    assert where.startswith("f:")


@given(st.text(max_size=20).filter(lambda t: "\0" not in t and len(t.splitlines()) <= 1))
def test_any_value_can_be_written(value: str) -> None:
    if value.splitlines() != [value]:
        return
    inventory = from_ini(f"n1 {shlex.quote('x=' + repr(value))}\n[all:vars]\ny = {value!r}\n")
    assert inventory.vars("n1") == {"x": value, "y": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("1", 1), ("True", True), ("true", "true"), ("None", None), ("[1, (2,)]", [1, [2]]), ("a-b", "a-b")],
        *[("007", "007"), ("1j", "1j"), ("...", "..."), ("b'x'", "x"), ("{1}", [1]), ("", ""), ("{[]: 1}", "{[]: 1}")],
        *[("(" * 3000, "(" * 3000), ("10.0.0.1", "10.0.0.1"), ("/a/b", "/a/b"), ("{{ x }}", "{{ x }}")],
    ],
)
def test_values_are_literals_or_text(text: str, value: Any) -> None:
    assert literal(text) == value
    assert type(literal(text)) is type(value)


def test_places_point_at_the_assignment() -> None:
    inventory = from_ini("[store]\n  n1   zone=a\tport='2 2'\n[store:vars]\n  x = 1\n")
    assert inventory.origin("n1", "zone") == (Position("f", 2, 8),)
    assert inventory.origin("n1", "port") == (Position("f", 2, 15),)
    assert inventory.origin("n1", "x") == (Position("f", 4, 3),)


def test_ranges_and_ports_apply_to_every_host() -> None:
    inventory = from_ini("n[1:2]:2200 x=1")
    assert inventory.vars("n2") == {"ansible_port": 2200, "x": 1}


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("[a:childern]", "f:1:4", "unknown kind of section 'childern'"),
        ("[a:childern]", "f:1:4", "did you mean 'children'?"),
        ("[a b]", "f:1:1", "'[a b]' is not a section"),
        ("[a", "f:1:1", "'[a' is not a section"),
        ("[]", "f:1:1", "is not a section"),
        ("[a/b]", "f:1:2", "'a/b' is not a group name"),
        ("n1 x", "f:1:4", "'x' is not a variable: name=value"),
        ("n1 x = 1", "f:1:4", "'x' is not a variable"),
        ("n1 =1", "f:1:4", "'' is not a variable name"),
        ("n1 ansible-host=1", "f:1:4", "did you mean 'ansible_host'?"),
        ("n1 x='1", "f:1:6", "a quote is not closed"),
        ("n1 x=1\\", "f:1:7", "a quote is not closed"),
        ("n1: 10.0.0.1", "f:1:1", "is not a port"),
        ("n1 ansible_host: 10.0.0.1", "f:1:4", "a YAML inventory is named *.yml"),
        ("---\nall:", "f:1:1", "this file is read as INI"),
        ("n[3:1]", "f:1:1", "3 comes after 1"),
        ("n1\n[a:vars]\nx=1", "f:2:2", "unknown group 'a'\n  why: [a:vars] needs a [a] section"),
        ("[store]\nn1\n[a:children]\n stroe", "f:4:2", "unknown group 'stroe'"),
        ("[store]\nn1\n[a:children]\n stroe", "f:4:2", "did you mean 'store'?"),
        ("[a:children]\nb c", "f:2:1", "'b c' is not the name of a group"),
        ("[a]\nn1\n[a:vars]\nx", "f:4:1", "'x' is not a variable: name=value"),
        (
            "n1 x=1\n[a]\nn1 x=2",
            "f:3:4",
            "host 'n1' gets two values for 'x' in one file\n  why: the other one is at f:1:4",
        ),
        ("[a]\nn1\n[a:vars]\nx=1\nx=2", "f:5:1", "group 'a' gets two values for 'x'"),
        ("n1 x=1\nn[1:2] x=True", "f:2:8", "two values for 'x'"),
        ("[a]\na", "f:2:1", "'a' is the name of a host and of a group"),
        ("n1\n[a:children]\nall", "f:3:1", "group 'all' contains itself"),
        ("[a:children]\nb\n[b:children]\nc\n[c:children]\na\n", "f:6:1", "why: a > b > c > a"),
        ("core@n1", "f:1:1", "ansible_user"),
    ],
)
def test_mistakes_say_where(text: str, where: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        from_ini(text)
    assert caught.value.where == where
    assert message in str(caught.value)


def test_the_same_value_twice_is_no_mistake() -> None:
    assert from_ini("[a]\nn1 x=1\n[b]\nn1 x=1 y=2\n").vars("n1") == {"x": 1, "y": 2}
