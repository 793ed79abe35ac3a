from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError, RefusedError
from coreops.schedulers.nomad import VARIABLES, config, make, settings, versions
from coreops.schedulers.protocol import Cluster
from tests.schedulers.nomad.world import cluster


def read(**values: object) -> dict[str, Any]:
    given = {"version": "1.7.7", **values}
    return {f"nomad_{key}": VARIABLES[f"nomad_{key}"](value) for key, value in given.items()}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("client", "yes", "true or false"),
        ("version", "1.3.9", "1.4 or newer"),
        ("version", 1.7, "look like"),
        ("version", "1.7.7; rm", "look like"),
        ("region", "Eu_West", "lower-case"),
        ("region", "a.b", "lower-case"),
        ("data_dir", "/usr/nomad", "cannot be written"),
        ("data_dir", "/", "two levels"),
        ("data_dir", "/var/../etc", "two levels"),
        ("http_port", 0, "a port"),
        ("http_port", True, "a port"),
        ("http_port", "4646x", "a port"),
        ("reserved_ports", "30-20", "ends before"),
        ("reserved_ports", "22,x", "a port"),
        ("reserved_ports", {"a": 1}, "ports and ranges"),
        ("drain_deadline", -1, "seconds"),
        ("drain_deadline", True, "seconds"),
        ("node_pool", "a b", "a word"),
        ("config", [1], "a mapping"),
        ("config", {"tls": {"http": False}}, "coreops sets tls itself"),
        ("config", {"acl": {"enabled": True}}, "nomad_acl: true"),
        ("config", {"server": {"encrypt": "x"}}, "server.encrypt itself"),
        ("config", {"client": {"meta": {}}}, "client.meta itself"),
    ],
)
def test_what_a_variable_must_not_be(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(**{name: value})


@given(st.sampled_from(sorted(VARIABLES)), st.from_type(object) | st.text() | st.dictionaries(st.text(), st.text()))
def test_a_reader_raises_nothing_but_value_errors(name: str, value: object) -> None:
    try:
        VARIABLES[name](value)
    except ValueError:
        return


def test_reserved_ports_hold_nomads_own() -> None:
    own = settings.of(replace(cluster().hosts[0], settings=read(reserved_ports="22,8000-8100", http_port=5000)))
    assert own.reserved == "22,4647,4648,5000,8000-8100"


def change(made: Cluster, host: str, **values: Any) -> Cluster:
    return replace(made, hosts=tuple(replace(each, **values) if each.name == host else each for each in made.hosts))


def test_an_even_number_of_servers_is_refused_where_it_was_written() -> None:
    made = replace(
        change(cluster(), "w1", role="manager"), origin=lambda host, variable: f"hosts.yml:3 {host} {variable}"
    )
    with pytest.raises(InputError, match="4 managers") as caught:
        make(made)
    assert caught.value.where == "hosts.yml:3 w1 scheduler_role"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            change(change(change(cluster(), "n1", role="worker"), "n2", role="worker"), "n3", role="worker"),
            "needs servers",
        ),
        (change(cluster(), "w1", settings=read(region="eu")), "nomad_region differs"),
        (change(cluster(), "w1", settings=read(http_port=5000)), "nomad_http_port differs"),
        (change(cluster(), "w1", settings=read(version="1.8.0")), "nomad_version differs"),
        (change(cluster(), "w1", labels={"a-b": "1", "a_b": "2"}), "are one in Nomad: a_b"),
        (cluster(client=False), "no host takes work"),
        (change(cluster(), "w1", settings={}), "w1 has no nomad_version"),
        (cluster(http_port=4647), "two of Nomad's ports"),
    ],
)
def test_clusters_that_cannot_be(made: Cluster, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(made)


def test_the_configuration_of_a_server_that_takes_work() -> None:
    made = cluster()
    found = config.agent(made, made.hosts[0])
    assert found["server"]["enabled"]
    assert found["server"]["server_join"]["retry_join"] == ["10.0.0.2:4648", "10.0.0.3:4648"]
    assert found["client"]["server_join"]["retry_join"] == ["10.0.0.1:4647", "10.0.0.2:4647", "10.0.0.3:4647"]
    assert found["client"]["meta"] == {"zone": "a", "coreops_host": "n1"}
    assert found["client"]["reserved"]["reserved_ports"] == "22,2379-2380,4646,4647,4648"
    assert found["tls"]["verify_server_hostname"]
    assert found["tls"]["verify_https_client"]
    text = json.dumps(found)
    assert "encrypt" not in text, "the key has a file of its own"
    assert "bootstrap_expect" not in text, "only the first start is told how many servers there are"


def test_the_configuration_of_a_worker_knows_no_server_block() -> None:
    made = cluster()
    found = config.agent(made, made.host("w1"))
    assert found["server"] == {"enabled": False}


def test_addresses_of_version_6_are_written_as_urls_want_them() -> None:
    made = change(cluster(), "n2", address="fd00::2")
    assert config.agent(made, made.host("n2"))["advertise"]["rpc"] == "[fd00::2]:4647"
    assert config.agent(made, made.host("n2"))["bind_addr"] == "::"
    assert "[fd00::2]:4648" in config.agent(made, made.host("n1"))["server"]["server_join"]["retry_join"]


HOSTILE = "x'; $(touch /tmp/evil) `id` \"\n é"


def test_hostile_values_stay_values() -> None:
    made = change(
        cluster(), "w1", labels={"a-b c": HOSTILE}, settings=read(config={"client": {"options": {"k": HOSTILE}}})
    )
    written = config.variables(made, {}, "/pki")["nomad_hosts"]["w1"]["config"]
    found = json.loads(written)
    assert found["client"]["meta"]["a_b_c"] == HOSTILE
    assert found["client"]["options"] == {"k": HOSTILE}
    assert found["client"]["enabled"] is True
    assert written.isascii()


def test_what_the_operator_adds_is_merged_and_nothing_of_ours_lost() -> None:
    extra: Mapping[str, Any] = read(config={"telemetry": {"prometheus_metrics": True}, "client": {"gc_max_allocs": 9}})
    made = change(cluster(), "w1", settings=extra)
    found = config.agent(made, made.host("w1"))
    assert found["telemetry"] == {"prometheus_metrics": True}
    assert found["client"]["gc_max_allocs"] == 9
    assert found["client"]["meta"]["coreops_host"] == "w1"


def test_certificates_say_which_role_an_agent_has() -> None:
    leaves = {leaf.file: leaf.sans for leaf in make(cluster(region="eu")).certificates()}
    assert leaves["nomad/n1"] == ("server.eu.nomad", "localhost", "127.0.0.1", "10.0.0.1")
    assert leaves["nomad/w1"][0] == "client.eu.nomad"


def test_a_server_without_work_has_a_user_of_its_own() -> None:
    made = change(cluster(), "n1", settings=read(client=False))
    hosts = make(made).variables(dict.fromkeys(made.names, f"/cache/{'ab' * 32}.nomad.tar.gz"), "/pki")["nomad_hosts"]
    assert (hosts["n1"]["user"], hosts["n2"]["user"], hosts["w1"]["user"]) == ("nomad", "root", "root")
    assert hosts["n1"]["release"] == "abababababab"


@pytest.mark.parametrize(
    ("now", "to", "fine"),
    [
        ("1.7.7", "1.7.7", True),
        ("1.7.7", "1.8.0", True),
        ("1.7.7", "1.9.3", True),
        ("1.7.7", "1.10.0", False),
        ("1.10.5", "2.0.1", True),
        ("1.9.0", "2.0.1", False),
        ("1.11.3", "2.1.0", True),
        ("2.0.0", "1.11.9", False),
        ("1.8.0-dev", "1.7.9", False),
    ],
)
def test_which_release_may_follow(now: str, to: str, fine: bool) -> None:
    if fine:
        versions.check([("n1", now)], to)
        return
    with pytest.raises(RefusedError) as caught:
        versions.check([("n1", now)], to)
    assert caught.value.where == "n1"


@given(*[st.tuples(st.integers(0, 3), st.integers(0, 15), st.integers(0, 20))] * 2)
def test_of_two_releases_at_most_one_may_follow(one: tuple[int, int, int], two: tuple[int, int, int]) -> None:
    def fine(now: tuple[int, int, int], to: tuple[int, int, int]) -> bool:
        try:
            versions.check([("n1", ".".join(map(str, now)))], ".".join(map(str, to)))
        except RefusedError:
            return False
        return True

    assert one == two or not (fine(one, two) and fine(two, one))
