"""From bare hosts to a cluster, and what happens to it later: coreops's decisions and its scripts, on hosts that play
k3s (``machines``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coreops.errors import HostFailed, InputError, RefusedError
from tests.schedulers.k3s.fake_kubernetes import Server
from tests.schedulers.k3s.machines import Machines, config_of
from tests.schedulers.k3s.world import cluster
from tests.support.shells import SHELLS

pytestmark = pytest.mark.slow  # five hosts run scripts, again and again
ROLES = {"m1": "manager", "m2": "manager", "m3": "manager", "w1": "worker", "w2": "worker"}
SMALL = {"m1": "manager", "w1": "worker", "w2": "worker"}
STORE = ("https://10.0.0.1:2379", "https://10.0.0.2:2379", "https://10.0.0.3:2379")
NewMachines = Callable[..., Machines]


@pytest.fixture
def new(tmp_path: Path, server: Server) -> NewMachines:
    return lambda roles=ROLES, **settings: Machines(tmp_path, server, cluster(roles, **settings))


def test_from_bare_hosts_to_a_cluster(new: NewMachines):
    machines = new()
    titles, end = machines.bootstrap()
    assert (
        titles
        == [
            "form the cluster on m1",
            "let m2 join as a server",
            "let m3 join as a server",
            "let w1, w2 join as agents",
            "label m1, m2, m3, w1, w2",
        ]
        or titles == titles[:4]
    )
    assert not end.strays
    assert sorted(machines.kube.nodes) == sorted(ROLES)
    assert config_of(machines.boxes["m1"]) == "cluster-init: true\n"
    assert config_of(machines.boxes["m2"]) == 'server: "https://10.0.0.1:6443"\n'
    token = (machines.boxes["w1"].root / "run/coreops-k3s/token").read_text()
    assert token.startswith("K10")
    assert token.endswith("::node:" + "6" * 64)
    assert machines.bootstrap() == ([], end)


@pytest.mark.parametrize("shell", ["bash", "busybox"])
def test_in_every_shell(new: NewMachines, shell: str):
    machines = new(SMALL)
    machines.shell = SHELLS[shell]
    assert machines.bootstrap()[0][:2] == ["form the cluster on m1", "let w1, w2 join as agents"]
    assert machines.bootstrap()[0] == []


def test_servers_meet_in_the_store(new: NewMachines):
    machines = new(store=STORE)
    titles, _ = machines.bootstrap()
    assert titles[:4] == [
        "form the cluster on m1",
        "let m2 join as a server",
        "let m3 join as a server",
        "let w1, w2 join as agents",
    ]
    assert "cluster-init" not in "".join(config_of(box) for box in machines.boxes.values())
    assert machines.bootstrap()[0] == []


def test_a_store_that_another_cluster_uses(new: NewMachines):
    machines = new(SMALL, store=STORE)
    machines.store = "9" * 64
    with pytest.raises(HostFailed, match="different token") as caught:
        machines.bootstrap()
    assert caught.value.where == "m1"
    assert "journalctl -u k3s" in str(caught.value)


def test_a_wiped_agent_comes_back_under_its_name(new: NewMachines):
    machines = new(SMALL)
    machines.bootstrap()
    machines.wipe("w1")
    titles, _ = machines.bootstrap()
    assert titles[:2] == ["forget what w1 was before", "let w1 join as agents"]
    assert machines.kube.nodes["w1"]["status"]["conditions"][1]["status"] == "True"


def test_a_name_whose_password_is_lost_is_given_a_new_one(new: NewMachines):
    """k3s#10408, #802: the node is gone, or dead, and its password is still there."""
    machines = new(SMALL)
    machines.bootstrap()
    (machines.boxes["w1"].root / "etc/rancher/node/password").unlink()
    machines._state("w1", "inactive")
    machines.kube.ready("w1", False)
    titles, _ = machines.bootstrap()
    assert titles[:2] == ["start w1", "forget what w1 was before"]
    assert machines.kube.nodes["w1"]["status"]["conditions"][1]["status"] == "True"


def test_a_wiped_server_joins_the_cluster_that_it_founded(new: NewMachines):
    machines = new()
    machines.bootstrap()
    machines.wipe("m1")
    guard = machines.boxes["m1"].sh('sh "$ROOT/etc/rancher/k3s/guard.sh" "$ROOT/opt/bin" embedded', {})
    assert guard.returncode == 1
    assert b"has lost its data" in guard.stderr
    titles, _ = machines.bootstrap()
    assert titles[:2] == ["forget what m1 was before", "let m1 join as a server"]
    assert config_of(machines.boxes["m1"]) == 'server: "https://10.0.0.2:6443"\n'
    assert machines.bootstrap()[0] == []


def test_a_cluster_that_lost_all_its_data_is_not_founded_anew(new: NewMachines):
    machines = new({"m1": "manager", "w1": "worker"})
    machines.bootstrap()
    machines.wipe("m1")
    with pytest.raises(RefusedError, match="lost their data") as caught:
        machines.bootstrap()
    assert "cluster-reset" in str(caught.value)


def test_servers_that_were_down_are_started_together(new: NewMachines):
    machines = new()
    machines.bootstrap()
    machines.server.down = True
    for host in ("m1", "m2", "m3"):
        machines._state(host, "inactive")
    step = machines.scheduler.decide(machines.look())
    machines.server.down = False
    assert step.title == "start m1, m2, m3"  # type: ignore[union-attr]
    assert machines.bootstrap()[0] == ["start m1, m2, m3"]


def test_another_machine_has_the_name(new: NewMachines):
    machines = new(SMALL)
    machines.kube.node("w1")
    machines.kube.nodes["w1"]["status"]["nodeInfo"]["machineID"] = "somebody-else"
    with pytest.raises(RefusedError, match="another machine is the node w1") as caught:
        machines.bootstrap()
    assert caught.value.where == "w1"
    assert config_of(machines.boxes["w1"]) == ""


def test_an_agent_of_another_cluster(new: NewMachines):
    machines = new(SMALL)
    machines.boxes["w2"].write("var/lib/rancher/k3s/agent/server-ca.crt", "-----BEGIN CERTIFICATE-----\nother\n")
    with pytest.raises(RefusedError, match="none of the servers has"):
        machines.bootstrap()
    assert all(config_of(box) == "" for box in machines.boxes.values())
    (machines.boxes["w2"].root / "var/lib/rancher/k3s/agent/server-ca.crt").unlink()
    machines.bootstrap()
    machines.boxes["w2"].write("var/lib/rancher/k3s/agent/server-ca.crt", "-----BEGIN CERTIFICATE-----\nother\n")
    with pytest.raises(RefusedError, match="different k3s clusters") as caught:
        machines.bootstrap()
    assert caught.value.where == "w2"


def test_the_token_of_another_cluster(new: NewMachines):
    machines = new()
    machines.bootstrap()
    machines.boxes["m2"].write("etc/rancher/k3s/token.wanted", "4" * 64 + "\n")
    with pytest.raises(RefusedError, match="another cluster's") as caught:
        machines.scheduler.decide(machines.look())
    assert caught.value.where == "m2"
    assert "4" * 64 not in str(caught.value)
    assert "5" * 64 not in str(caught.value)


def test_what_somebody_else_installed_is_left(new: NewMachines):
    machines = new()
    machines.boxes["m2"].write("etc/systemd/system/k3s.service", "[Service]\nExecStart=/usr/local/bin/k3s server\n")
    with pytest.raises(RefusedError, match="installed here by something else") as caught:
        machines.bootstrap()
    assert caught.value.where == "m2"


def test_a_role_is_not_changed_in_place(new: NewMachines):
    machines = new()
    machines.bootstrap()
    machines.want(cluster({**ROLES, "w1": "manager", "m3": "worker"}))
    with pytest.raises(RefusedError, match="cannot change its role"):
        machines.bootstrap()


def test_a_folder_that_is_read_only(new: NewMachines, monkeypatch: pytest.MonkeyPatch):
    machines = new(SMALL, k3s_bin_dir="/nowhere/bin")
    found = machines.look()["m1"]
    assert found.readonly == ""  # type: ignore[attr-defined]
    from dataclasses import replace

    seen = {**machines.look(), "m1": replace(found, readonly="/usr/local/bin")}  # type: ignore[type-var]
    with pytest.raises(InputError, match="cannot be written"):
        machines.scheduler.decide(seen)


def test_a_newer_version_goes_server_by_server(new: NewMachines):
    machines = new()
    machines.bootstrap()
    machines.want(cluster(ROLES, k3s_version="v1.33.1+k3s1"))
    titles, _ = machines.bootstrap()
    assert titles == [f"restart {turn} with the new settings" for turn in ("m1", "m2", "m3", "w1", "w2")]
    assert {node["status"]["nodeInfo"]["kubeletVersion"] for node in machines.kube.nodes.values()} == {"v1.33.1+k3s1"}


@pytest.mark.parametrize(
    ("version", "says"),
    [("v1.34.0+k3s1", "one minor version at a time"), ("v1.31.9+k3s1", "cannot be read by an older")],
)
def test_version_skew_is_refused_before_anything_moves(new: NewMachines, version: str, says: str):
    machines = new(SMALL)
    machines.bootstrap()
    before = (machines.boxes["m1"].root / "opt/bin/version").read_text()
    machines.want(cluster(SMALL, k3s_version=version))
    with pytest.raises(RefusedError, match=says):
        machines.bootstrap()
    assert (machines.boxes["m1"].root / "opt/bin/version").read_text() == before


def test_a_server_that_is_not_well_holds_the_restarts_up(new: NewMachines):
    machines = new()
    machines.bootstrap()
    machines.want(cluster(ROLES, k3s_version="v1.33.1+k3s1"))
    machines.install()
    machines.kube.ready("m3", False)
    step = machines.scheduler.decide(machines.look())
    assert (step.title, dict(step.talks)) == ("wait for m3 to be ready", {})  # type: ignore[union-attr]


def test_labels_follow_the_inventory(new: NewMachines):
    from dataclasses import replace

    machines = new(SMALL)
    machines.bootstrap()
    plain = cluster(SMALL)
    hosts = tuple(replace(host, zone="z1", labels={"zone": "z1", "disk": "ssd"}) for host in plain.hosts)
    machines.want(replace(plain, hosts=hosts))
    titles, _ = machines.bootstrap()
    assert titles[-1] == "label m1, w1, w2"
    labels = machines.kube.nodes["w1"]["metadata"]["labels"]
    assert (labels["topology.kubernetes.io/zone"], labels["disk"]) == ("z1", "ssd")
    machines.kube.nodes["w1"]["metadata"]["labels"]["theirs"] = "stays"
    machines.want(replace(plain, hosts=tuple(replace(host, labels={"disk": "hdd"}) for host in plain.hosts)))
    machines.bootstrap()
    labels = machines.kube.nodes["w1"]["metadata"]["labels"]
    assert "topology.kubernetes.io/zone" not in labels
    assert (labels["disk"], labels["theirs"]) == ("hdd", "stays")


def test_a_node_that_the_inventory_has_not_is_a_stray(new: NewMachines):
    machines = new(SMALL)
    machines.kube.node("old")
    assert machines.bootstrap()[1].strays == ("old",)
