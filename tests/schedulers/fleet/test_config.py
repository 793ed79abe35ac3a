"""fleet.conf says what was meant, read the way fleet 1.0.0 reads it: vendor/github.com/glacjay/goini/ini.go,
pkg/flag.go and config/config.go.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.schedulers.fleet import VARIABLES, make
from coreops.schedulers.fleet.config import conf
from coreops.schedulers.protocol import Cluster, Host

STORE = ("https://10.0.0.1:2379", "https://10.0.0.2:2379")
DOUBLE = re.compile(r'^([^= \t]+)[ \t]*=[ \t]*"([^"]*)"$')
SINGLE = re.compile(r"^([^= \t]+)[ \t]*=[ \t]*'([^']*)'$")
PLAIN = re.compile(r"^([^= \t]+)[ \t]*=[ \t]*([^#;]+)")


def parse(text: str) -> dict[str, str]:
    """goini: the settings without a section."""
    found = {}
    for line in text.split("\n"):
        assert len(line.encode()) < 4096, "bufio.Reader.ReadLine would break it"
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        assert line[-1] != "\\", "goini would join the next line"
        match = DOUBLE.match(line) or SINGLE.match(line) or PLAIN.match(line)
        assert match is not None, line
        found[match[1].lower()] = match[2]
    return found


def metadata(raw: str) -> dict[str, str]:
    """config.go Metadata"""
    pairs = (pair.split("=", 1) for pair in raw.split(","))
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}


def servers(raw: str) -> list[str]:
    """flag.go StringSlice.Set"""
    return [item.lstrip(' ["').rstrip(' "]') for item in raw.split(",")]


def cluster(name: str = "n1", labels: dict[str, str] | None = None, **settings: Any) -> Cluster:
    read = {f"fleet_{key}": VARIABLES[f"fleet_{key}"](value) for key, value in settings.items()}
    host = Host(name=name, address="10.0.0.1", role="manager", labels=labels or {}, settings=read)
    return Cluster(scheduler="fleet", hosts=(host,), store=STORE, origin=lambda host, variable: f"{host}:{variable}")


def written(*args: Any, **settings: Any) -> dict[str, str]:
    made = cluster(*args, **settings)
    return parse(conf(made, made.hosts[0]))


def test_the_whole_file() -> None:
    made = cluster(labels={"zone": "z1", "disk": "ssd"}, metadata={"rack": 7, "gpu": True}, agent_ttl="60s")
    assert conf(made, made.hosts[0]) == (
        "# Managed by coreops: bootstrap writes this file anew.\n"
        'etcd_servers="https://10.0.0.1:2379,https://10.0.0.2:2379"\n'
        'etcd_key_prefix="/_coreos.com/fleet/"\n'
        'etcd_request_timeout="3.0"\n'
        'public_ip="10.0.0.1"\n'
        'metadata="coreops-host=n1,zone=z1,disk=ssd,rack=7,gpu=true"\n'
        'agent_ttl="60s"\n'
        'engine_reconcile_interval="2.0"\n'
        'token_limit="100"\n'
        'verbosity="0"\n'
        'disable_engine="false"\n'
        'disable_watches="false"\n'
        'etcd_cafile="/etc/fleet/pki/ca.crt"\n'
        'etcd_certfile="/etc/fleet/pki/client.crt"\n'
        'etcd_keyfile="/etc/fleet/pki/client.key"\n'
    )


def test_a_store_without_tls_needs_no_certificates() -> None:
    found = written(etcd_servers=["http://a:2379", "http://[::1]:4001"])
    assert "etcd_cafile" not in found
    assert servers(found["etcd_servers"]) == ["http://a:2379", "http://[::1]:4001"]
    assert make(cluster(etcd_servers=["http://a:2379"])).certificates() == ()
    assert [leaf.file for leaf in make(cluster()).certificates()] == ["fleet"]


@given(
    st.text(min_size=1, max_size=12).filter(lambda text: text.strip() == text),
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,8}", fullmatch=True), st.text(max_size=10), max_size=4
    ),
)
def test_fleet_reads_the_metadata_that_was_meant_or_nothing_is_written(name: str, labels: dict[str, str]) -> None:
    try:
        found = written(name, labels)
    except InputError:
        return
    read = metadata(found["metadata"])
    assert read.pop("coreops-host")
    assert read == labels
    assert servers(found["etcd_servers"]) == list(STORE)


@pytest.mark.parametrize(
    ("labels", "settings", "where", "why"),
    [
        ({"a": "x,y"}, {}, "n1:node_labels", "commas"),
        ({"zone": "a b,c"}, {}, "n1:zone", "commas"),
        ({"a": "x=y"}, {}, "n1:node_labels", "MachineMetadata=key=value"),
        ({"a": ""}, {}, "n1:node_labels", "empty"),
        ({"a": "x\ny"}, {}, "n1:node_labels", "one line"),
        ({"a": "\"'"}, {}, "n1:node_labels", "both kinds of quotes"),
        ({"a": "x" * 4000}, {}, "n1:node_labels", "4000 bytes"),
        ({}, {"metadata": {"coreops-host": "other"}}, "n1:fleet_metadata", "coreops sets it itself"),
    ],
)
def test_what_fleet_cannot_be_told(labels: dict[str, str], settings: dict[str, Any], where: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        make(cluster(labels=labels, **settings))
    assert caught.value.where == where
    assert why in str(caught.value.why)


def test_one_kind_of_quotes_can_be_told() -> None:
    assert metadata(written(labels={"a": 'say "hi"'})["metadata"])["a"] == 'say "hi"'
    assert metadata(written(labels={"a": "it's #1; really"})["metadata"])["a"] == "it's #1; really"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agent_ttl", "30"), ("agent_ttl", "1s"), ("agent_ttl", 30), ("agent_ttl", "1s\nverbosity=9"),
        ("disable_engine", "yes"), ("drain_at_once", 0), ("engine_reconcile_interval", True),
        ("etcd_key_prefix", "fleet"), ("etcd_request_timeout", -1), ("etcd_servers", []), ("etcd_servers", "http://a"),
        ("etcd_servers", ["ftp://a"]), ("etcd_servers", ["http://a,http://b"]), ("install", "package"),
        ("metadata", ["a=b"]), ("metadata", {"a": None}), ("public_ip", "a b"), ("stuck", "ignore"),
        ("token_limit", "100"), ("verbosity", 3), ("version", "latest"), ("version", 1.0),
    ],
)  # fmt: skip
def test_values_that_are_none(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        VARIABLES[f"fleet_{name}"](value)


def test_a_cluster_needs_a_store_an_engine_and_one_size_of_pages() -> None:
    alone = Cluster(scheduler="fleet", hosts=cluster().hosts, origin=lambda host, variable: f"{host}:{variable}")
    for bad, words in (
        (alone, "fleet has no store"),
        (cluster(disable_engine=True), "no host would run fleet's engine"),
        (
            Cluster(
                scheduler="fleet",
                hosts=(*cluster("n1").hosts, *cluster("n2", token_limit=10).hosts),
                store=STORE,
                origin=lambda host, variable: f"{host}:{variable}",
            ),
            "fleet_token_limit differs",
        ),
    ):
        with pytest.raises(InputError, match=words):
            make(bad)


@pytest.mark.parametrize(
    ("version", "flags", "words"),
    [
        ("3.6.1", {"ETCD_ENABLE_V2": "true"}, "fleet cannot run on etcd 3.6.1"),
        ("3.5.17", {}, "etcd 3.5.17 would not serve the v2 API"),
        ("3.5.17", {"ETCD_ENABLE_V2": "false"}, "etcd 3.5.17 would not serve the v2 API"),
        ("3.5.17", {"ETCD_ENABLE_V2": "true"}, ""),
        ("3.3.27", {}, ""),
        ("", {}, ""),
    ],
)
def test_the_store_that_is_wanted_has_the_v2_api(version: str, flags: dict[str, str], words: str) -> None:
    made = replace(cluster(), store_wants=((version, flags),))
    if words:
        with pytest.raises(InputError, match=words):
            make(made)
    else:
        make(made)
    elsewhere = replace(cluster(etcd_servers=["http://other:2379"]), store_wants=((version, flags),))
    make(elsewhere)
