"""What comes to lie on a node: golden files for a server with its own etcd, one with the store, and an agent."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from coreops.playbook.jinja import environment
from coreops.schedulers.k3s import rendering
from coreops.schedulers.k3s.settings import plan
from tests.schedulers.k3s.world import ROLES, cluster

GOLDEN = Path(__file__).with_name("golden")
UNIT = Path(__file__).parents[3] / "playbooks/templates/k3s/k3s.service.j2"
STORE = ("https://10.0.0.1:2379", "https://10.0.0.2:2379", "https://10.0.0.3:2379")
RICH = {
    "k3s_disable": ["traefik", "servicelb"],
    "k3s_tls_san": ["k3s.example.net"],
    "k3s_taints": ["node-role.kubernetes.io/control-plane=:NoSchedule"],
    "k3s_config": {"flannel-iface": "eth1", "kubelet-arg": ["max-pods=50"], "cluster-cidr": "10.9.0.0/16"},
}


@pytest.mark.parametrize(
    ("name", "host", "store"), [("server", "m2", ()), ("server-store", "m2", STORE), ("agent", "w1", ())]
)
def test_golden(name: str, host: str, store: tuple[str, ...]):
    whole = cluster(ROLES, store=store, **RICH)
    whole = replace(
        whole, hosts=tuple(replace(each, zone="z1", labels={"zone": "z1", "disk": "ssd"}) for each in whole.hosts)
    )
    node = rendering.variables(plan(whole), {host: "/cache/k3s.tar.gz"}, "/pki")["k3s_nodes"][host]
    unit = environment().from_string(UNIT.read_text()).render(k3s_node=node)
    for file, text in ((f"{name}.config.yaml", node["config"]), (f"{name}.service", unit)):
        if os.environ.get("COREOPS_GOLDEN") == "write":
            (GOLDEN / file).write_text(text)
        assert (GOLDEN / file).read_text() == text
    assert yaml.safe_load(node["config"])["node-name"] == host


def test_no_secret_stands_in_the_settings():
    variables = rendering.variables(plan(cluster(ROLES, store=STORE)), {}, "/pki")
    text = str(variables)
    assert "token-file: /run/coreops-k3s/token" in text
    assert "K10" not in text


def test_where_nodes_join():
    whole = plan(cluster(ROLES))
    assert rendering.url(whole, whole.nodes["m1"]) == "https://10.0.0.1:6443"
    assert rendering.url(whole, replace(whole.nodes["m1"], address="fd00::1")) == "https://[fd00::1]:6443"
    fixed = plan(cluster(ROLES, k3s_server_url="https://k3s.example.net:6443/"))
    assert rendering.url(fixed, fixed.nodes["m1"]) == "https://k3s.example.net:6443"
