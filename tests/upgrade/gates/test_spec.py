from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.model import Position
from coreops.upgrade.gates.spec import CommandGate, HttpGate, PrometheusGate, TcpGate, UnitGate, parse, shown_url

BOTH = frozenset({"before", "after"})


def test_reads_every_kind():
    found = parse(
        [
            {"unit": "app.service"},
            {"tcp": {"port": "2379"}, "when": "before", "timeout": 2},
            {
                "http": {
                    "url": "https://h/x?token=1",
                    "status": [200, 204],
                    "contains": "it's $(ok)",
                    "from": "controller",
                }
            },
            {"http": "http://[::1]:80", "name": "local"},
            {"command": "test -e /x\n", "when": "after"},
            {"prometheus": {"url": "http://p:9090", "query": "up == 0"}},
        ]
    )
    assert found == (
        UnitGate(name="unit app.service", moments=BOTH, timeout=10, unit="app.service"),
        TcpGate(name="tcp 127.0.0.1:2379", moments=frozenset({"before"}), timeout=2, host="127.0.0.1", port=2379),
        HttpGate(
            name="http https://h/x",
            moments=BOTH,
            timeout=10,
            url="https://h/x?token=1",
            status=(200, 204),
            contains="it's $(ok)",
            from_controller=True,
        ),
        HttpGate(
            name="local",
            moments=BOTH,
            timeout=10,
            url="http://[::1]:80",
            status=(200,),
            contains="",
            from_controller=False,
        ),
        CommandGate(name="command test -e /x", moments=frozenset({"after"}), timeout=60, command="test -e /x\n"),
        PrometheusGate(
            name="prometheus up == 0",
            moments=BOTH,
            timeout=10,
            url="http://p:9090",
            query="up == 0",
            expect="empty",
        ),
    )


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({}, "upgrade_gates must be a list"),
        (["unit"], "gate 1 of upgrade_gates must be a mapping"),
        ([{"unit": "a.service"}, {}], "gate 2 of upgrade_gates asks nothing"),
        ([{"unit": "a.service", "command": "x"}], "has unit and command"),
        ([{"uint": "a.service"}], "did you mean 'unit'?"),
        ([{"name": "api", "htpp": {}}], "gate 1 of upgrade_gates (api): unknown key 'htpp'"),
        ([{"unit": "sshd"}], "like app.service"),
        ([{"unit": "-x.service"}], "like app.service"),
        ([{"tcp": 80}], "tcp must be a mapping of host, port"),
        ([{"tcp": {"host": "h"}}], "tcp.port is missing"),
        ([{"tcp": {"port": 70000}}], "tcp.port is not usable"),
        ([{"tcp": {"port": 1, "host": "-h"}}], "tcp.host is not usable"),
        ([{"http": {"url": "ftp://x"}}], "begins with http:// or https://"),
        ([{"http": {"url": "http://"}}], "begins with http:// or https://"),
        ([{"http": {"url": "http://a b"}}], "begins with http:// or https://"),
        ([{"http": {"url": "http://h", "status": True}}], "http.status is not usable"),
        ([{"http": {"url": "http://h", "contains": "a\nb"}}], "one line"),
        ([{"http": {"url": "http://h", "from": "moon"}}], "node or controller"),
        ([{"prometheus": {"url": "http://h"}}], "prometheus.query is missing"),
        ([{"prometheus": {"url": "http://h", "query": "x", "expect": "true"}}], "empty or nonzero"),
        ([{"command": ""}], "command is not usable"),
        ([{"unit": "a.service", "when": "later"}], "before, after or both"),
        ([{"unit": "a.service", "timeout": 0}], "number of seconds"),
        ([{"unit": "a.service"}, {"unit": "a.service"}], "two gates are named 'unit a.service'"),
    ],
)
def test_says_what_is_wrong_and_where(value, says):
    with pytest.raises(InputError) as caught:
        parse(value, Position("inv.yml", 3, 5))
    assert str(caught.value).startswith("inv.yml:3:5: ")
    assert says in str(caught.value)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["unit", "tcp", "http"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["unit", "tcp", "http", "command", "prometheus", "name", "when", "url", "port"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.lists(plain, max_size=3))
def test_anything_is_gates_or_an_error(value):
    with suppress(InputError):
        parse(value)


def test_a_url_is_shown_without_what_may_be_secret():
    assert shown_url("https://user:pa/ss@h:1/p?token=x") == "https://user:pa/ss@h:1/p"
    assert shown_url("https://user:pass@h:1/p?token=x") == "https://h:1/p"
