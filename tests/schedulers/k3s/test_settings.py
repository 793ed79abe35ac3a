"""What an inventory may say of k3s, and what is told to who says something else."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.schedulers.k3s import make, rendering, versions
from coreops.schedulers.k3s.settings import VARIABLES, plan
from coreops.schedulers.protocol import Carries
from tests.schedulers.k3s.world import ROLES, cluster

STORE = ("https://10.0.0.1:2379", "https://10.0.0.2:2379")


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("k3s_version", "1.32.4", "must look like v1.32.4+k3s1"),
        ("k3s_version", 1.32, "must be a text"),
        ("k3s_version", "v1.32.4+k3s1; reboot", "must look like"),
        ("k3s_datastore", "embeded", "did you mean 'embedded'?"),
        ("k3s_disable", ["traefic"], "did you mean 'traefik'?"),
        ("k3s_disable", "traefik", "must be a list"),
        ("k3s_docker", "yes", "must be true or false"),
        ("k3s_bin_dir", "opt/bin", "plain absolute path"),
        ("k3s_bin_dir", "/opt/$(reboot)", "plain absolute path"),
        ("k3s_server_url", "http://k3s:6443", "must look like https://"),
        ("k3s_server_url", "https://k3s", "must look like https://"),
        ("k3s_server_url", "https://u:p@k3s:6443", "must look like https://"),
        ("k3s_server_url", "https://k3s:port", "must look like https://"),
        ("k3s_taints", ["a=b:Never"], "a taint looks like"),
        ("k3s_taints", ["a=b"], "a taint looks like"),
        ("k3s_tls_san", ["a b"], "no address and no host name"),
        ("k3s_images", "/images.tar.zst", "artifacts.lock.yml pins them"),
        ("k3s_images", 1, "true or false"),
        ("k3s_config", {"token": "x"}, "coreops sets token itself"),
        ("k3s_config", {"datastore-endpoint": "x"}, "coreops sets datastore-endpoint itself"),
        ("k3s_config", {"etcd-s3-secret-key": "x"}, "is a secret"),
        ("k3s_config", {"vpn auth": "x"}, "is not an option"),
        ("k3s_config", {"kubelet-arg": {"a": "b"}}, "a list of texts"),
        ("k3s_config", ["flannel-iface"], "must be a mapping"),
    ],
)
def test_a_value_that_cannot_be(variable: str, value: object, says: str):
    with pytest.raises(ValueError, match=re.escape(says)):
        VARIABLES[variable](value)


@given(st.text(max_size=30))
def test_what_is_read_as_a_folder_or_a_version_is_one_word_to_every_shell(text: str):
    for variable in ("k3s_bin_dir", "k3s_version"):
        with suppress(ValueError):
            assert str(VARIABLES[variable](text)).isascii()
            assert text.split() == [text]
            assert not set(text) & set("'\"$`\\;&|<>(){}[]*?!#~\n")


@pytest.mark.parametrize(
    ("roles", "more", "where", "says"),
    [
        ({"m1": "manager", "m2": "manager"}, {}, "inv.yml:m2:scheduler_role", "2 servers with k3s's own etcd"),
        ({"w1": "worker"}, {}, "inv.yml:w1:scheduler_role", "k3s has no server"),
        ({"m1": "manager", "M1": "worker"}, {}, "inv.yml:M1:scheduler", "hosts m1 and M1 would be one node"),
        ({"m_1": "manager"}, {}, "inv.yml:m_1:scheduler", "cannot be a node of Kubernetes"),
        (ROLES, {"k3s_datastore": "store"}, "inv.yml:m1:k3s_datastore", "the inventory has no group store"),
        (ROLES, {"store": STORE, "k3s_datastore": "embedded"}, "inv.yml:m1:k3s_datastore", "cannot run two etcds"),
        (ROLES, {"k3s_version": "v1.21.9+k3s1"}, "inv.yml:m1:k3s_version", "is too old"),
    ],
)
def test_an_inventory_that_is_no_cluster(roles: dict[str, str], more: dict[str, object], where: str, says: str):
    with pytest.raises(InputError) as caught:
        plan(cluster(roles, **more))  # type: ignore[arg-type]
    assert caught.value.where == where
    assert says in str(caught.value)
    assert caught.value.next


def test_the_version_must_be_said():
    bare = cluster(ROLES)
    hosts = tuple(replace(host, settings={}) for host in bare.hosts)
    with pytest.raises(InputError, match="host m1 has no k3s_version"):
        make(replace(bare, hosts=hosts))


@pytest.mark.parametrize(
    ("host", "version", "says"),
    [
        ("m2", "v1.32.5+k3s1", "want two versions"),
        ("w1", "v1.33.0+k3s1", "must not be newer than a server"),
        ("w1", "v1.28.0+k3s1", "may be 3 minor versions older"),
        ("w1", "v1.29.0+k3s1", None),
    ],
)
def test_version_skew(host: str, version: str, says: str | None):
    whole = cluster(ROLES)
    mine = {"k3s_version": versions.parse(version)}
    whole = replace(whole, hosts=tuple(replace(h, settings=mine) if h.name == host else h for h in whole.hosts))
    if says is None:
        assert str(plan(whole).nodes[host].version) == version
        return
    with pytest.raises(InputError) as caught:
        plan(whole)
    assert says in str(caught.value)
    assert caught.value.where == f"inv.yml:{host}:k3s_version"


def test_servers_that_must_agree():
    whole = cluster(ROLES)
    other = {"k3s_version": versions.parse("v1.32.4+k3s1"), "k3s_config": {"cluster-cidr": "10.9.0.0/16"}}
    differ = replace(whole, hosts=tuple(replace(h, settings=other) if h.name == "m3" else h for h in whole.hosts))
    with pytest.raises(InputError, match="m1 and m3 differ in cluster-cidr"):
        plan(differ)
    assert plan(replace(whole, hosts=tuple(replace(h, settings=other) for h in whole.hosts)))
    drains = {"k3s_version": versions.parse("v1.32.4+k3s1"), "k3s_drain_emptydir": True}
    differ = replace(whole, hosts=(replace(whole.hosts[0], settings=drains), *whole.hosts[1:]))
    assert plan(differ).scratch


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"node-role.kubernetes.io/control-plane": "true"}, "a node could make itself a server"),
        ({"disk": "very fast"}, "Kubernetes has no label"),
        ({"disk": "x" * 64}, "Kubernetes has no label"),
        ({"node.kubernetes.io/fast": "true", "example.net/disk": "ssd"}, None),
    ],
)
def test_labels(labels: dict[str, str], says: str | None):
    whole = cluster(ROLES)
    whole = replace(whole, hosts=(replace(whole.hosts[0], labels=labels, zone="z1"), *whole.hosts[1:]))
    if says is None:
        assert plan(whole).nodes["m1"].labels == labels | {"topology.kubernetes.io/zone": "z1"}
        return
    with pytest.raises(InputError) as caught:
        plan(whole)
    assert says in str(caught.value)
    assert caught.value.where == "inv.yml:m1:node_labels"


@pytest.mark.parametrize(
    ("running", "wanted", "says"),
    [
        ("v1.31.4+k3s1", "v1.32.0+k3s2", ""),
        ("v1.32.4+k3s1", "v1.32.3+k3s1", ""),
        ("v1.30.4+k3s1", "v1.32.0+k3s1", "one minor"),
        ("v1.33.0+k3s1", "v1.32.9+k3s1", "newer Kubernetes"),
    ],
)
def test_steps_of_servers(running: str, wanted: str, says: str):
    old, new = versions.parse(running), versions.parse(wanted)
    assert old
    assert new
    assert says in versions.server_step(old, new)
    assert bool(says) == bool(versions.server_step(old, new))


def test_what_the_store_is_asked_for():
    scheduler = make(cluster(ROLES, store=STORE))
    assert scheduler.certificates() == (rendering.STORE_LEAF,)
    assert make(cluster(ROLES)).certificates() == ()
    assert set(scheduler.secrets()) == {"k3s-token", "k3s-agent-token"}
    assert {each.version for each in scheduler.artifacts().values()} == {"v1.32.4+k3s1"}
    assert scheduler.where("m1") == ("m2", "m3", "m1")


def test_images_are_pinned_beside_the_program():
    whole = cluster(ROLES, k3s_images=True)
    scheduler = make(whole)
    assert isinstance(scheduler, Carries)
    assert {(each.name, each.version) for each in scheduler.carried().values()} == {("k3s-images", "v1.32.4+k3s1")}
    assert set(scheduler.carried()) == set(scheduler.artifacts())
    nodes = scheduler.variables({"m1": "/k3s.tar.gz", "m1/k3s-images": "/c/ab.tar.zst"}, "/pki")["k3s_nodes"]
    assert (nodes["m1"]["images"], nodes["m1"]["images_file"]) == ("/c/ab.tar.zst", "coreops.tar.zst")
    assert nodes["w1"]["images"] == ""
    assert make(cluster(ROLES)).carried() == {}
