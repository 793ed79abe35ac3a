"""YAML inventories: what they may hold, and every mistake with its place."""

from __future__ import annotations

import pytest

from coreops.errors import InputError
from coreops.model import Position
from tests.inventory.support import from_yaml


def test_groups_hosts_children_and_variables() -> None:
    inventory = from_yaml(
        "all:\n  children:\n    store:\n      hosts:\n        n[1:2]:2200: {zone: a}\n        n3:\n"
        "      vars: {etcd: true}\n  vars:\n    x: 1\n"
    )
    assert inventory.match("store") == ("n1", "n2", "n3")
    assert inventory.vars("n1") == {"ansible_port": 2200, "zone": "a", "etcd": True, "x": 1}
    assert inventory.origin("n1", "zone") == (Position("f", 5, 23),)


def test_one_host_or_child_may_be_plain_text() -> None:
    inventory = from_yaml("a: {hosts: 'n[1:2]', children: b}")
    assert inventory.match("a") == ("n1", "n2")
    assert inventory.groups["a"].children == ("b",)


def test_a_group_may_be_described_in_several_places() -> None:
    inventory = from_yaml("a: {children: {c: {hosts: {n1: {x: 1}}}}}\nb: {children: {c: {hosts: {n1: {y: 2}, n2: }}}}")
    assert inventory.match("a:&b") == ("n1", "n2")
    assert inventory.vars("n1") == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("- n1", "f:1:1", "an inventory is a mapping of groups, not a list"),
        ("n1", "f:1:1", "not the text 'n1'"),
        ("hosts: {n1: }", "f:1:1", "'hosts' stands outside of any group\n  next: put it below a group, e.g. all:"),
        ("plugin: aws_ec2", "f:1:1", "dynamic inventories are not supported yet"),
        ("all:\n  host:\n    n1:", "f:2:3", "unknown key 'host' in group 'all'"),
        ("all:\n  host:\n    n1:", "f:2:3", "did you mean 'hosts'?"),
        ("all:\n  n1:", "f:2:3", "put hosts below hosts:, variables below vars:"),
        (
            "all:\n  hosts:\n    - n1",
            "f:3:5",
            "hosts of group 'all' must be a mapping, not a list\n  next: write `name:`",
        ),
        ("all:\n  hosts:\n    n1: x", "f:3:9", "host 'n1' must be a mapping, not the text 'x'"),
        ("all:\n  children: [a]", "f:2:13", "children of group 'all' must be a mapping, not a list"),
        ("all: {vars: x, hosts: {n1: }}", "f:1:13", "vars of group 'all' must be a mapping"),
        ("n1: 10.0.0.1", "f:1:5", "group 'n1' must be a mapping"),
        ("all: {hosts: {no: }}", "f:1:15", "the host name 'no' is not text\n  why: YAML reads it as False"),
        ("all: {hosts: {10: }}", "f:1:15", 'quote it: "10"'),
        ("1: {hosts: {n1: }}", "f:1:1", "the group name '1' is not text"),
        ("all: {vars: {on: 1}}", "f:1:14", "the variable name 'on' is not text"),
        ("all: {hosts: {n1: , n1: }}", "f:1:21", "duplicate key 'n1'"),
        (
            "a: {hosts: {n1: {x: 1}}}\nb: {hosts: {n1: {x: 2}}}",
            "f:2:18",
            "host 'n1' gets two values for 'x' in one file",
        ),
        ("a: {vars: {x: 1}}\nb: {children: {a: {vars: {x: 1.0}}}}", "f:2:27", "group 'a' gets two values for 'x'"),
        ("all: {hosts: {'n1:22': {ansible_port: 23}}}", "f:1:25", "two values for 'ansible_port'"),
        ("all: {hosts: {'-oProxyCommand=x': }}", "f:1:15", "is not a host name"),
        ('all: {hosts: {"n\\n1": }}', "f:1:15", "is not a host name"),
        ('all: {children: {"a/b": }}', "f:1:18", "is not a group name"),
        ('all: {hosts: {n1: {"a b": 1}}}', "f:1:20", "'a b' is not a variable name"),
        ("all: {hosts: {n1: {ansible-host: x}}}", "f:1:20", "did you mean 'ansible_host'?"),
        ("a: &x {children: {b: *x}, hosts: {n1: }}", "f:1:19", "an alias contains itself"),
        (
            "a: {children: {b: {children: {a: }}}, hosts: {n1: }}",
            "f:1:31",
            "group 'a' contains itself\n  why: a > b > a",
        ),
        ("a: {children: {a: }}", "f:1:16", "group 'a' contains itself"),
        ("a: {hosts: {a: }}", "f:1:13", "'a' is the name of a host and of a group\n  why: the group is at f:1:1"),
        ("x: {hosts: {all: }}", "f:1:13", "the word is reserved"),
        ("a: {vars: {ansible_group_priority: high}}", "f:1:12", "must be a number, not 'high'"),
    ],
)
def test_mistakes_say_where(text: str, where: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        from_yaml(text)
    assert caught.value.where == where
    assert message in str(caught.value)


def test_aliased_groups_do_not_multiply() -> None:
    rows = ["g0: &g0 {hosts: {n1: }}"]
    rows += [f"g{n}: &g{n} {{children: {{a: *g{n - 1}, b: *g{n - 1}}}}}" for n in range(1, 40)]
    with pytest.raises(InputError, match="contains itself"):
        from_yaml("\n".join(rows))
