"""Cordon, drain and remove as kubectl understands them: budgets, DaemonSets, data, conflicts, quorum. Each rule with
kubectl played, and with the real one.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from coreops.errors import HostFailed, RefusedError
from coreops.schedulers.k3s import kube, kubectl, make, marks
from coreops.schedulers.k3s.kube import KubeNode
from coreops.schedulers.protocol import Elsewhere, Mark
from tests.schedulers.k3s.fake_kubernetes import Server
from tests.schedulers.k3s.world import ROLES, Box, K3sWorld, PlayedWorld, cluster, needs_kubectl
from tests.schedulers.worlds import OPERATOR, UPGRADE, cordon, drain, hold, left, listed, must, node_of


@pytest.fixture(params=["played", pytest.param("kubectl", marks=[needs_kubectl, pytest.mark.slow])])
def world(request: pytest.FixtureRequest, server: Server, hosts: dict[str, Box]) -> K3sWorld:
    return (PlayedWorld if request.param == "played" else K3sWorld)(server, hosts)


def removal(world: K3sWorld, node: str):
    asked = [host for host in world.scheduler.where(node) if host != node]
    return hold(world, asked, lambda: world.scheduler.remove(node))


def test_a_disruption_budget_is_kept(world: K3sWorld):
    for name in ("m1", "m2", "m3", "w2"):
        world.close(name)
    world.kube.deployment("web", 2, budget=1)
    cordon(world, "w1")
    ended = hold(world, world.scheduler.where("w1"), lambda: world.scheduler.drain("w1", UPGRADE), pauses=4)
    assert not ended.over, "one of two pods must stay, and the other has nowhere to go"
    assert len(world.kube.on("w1")) == 1
    assert any("disruption budget" in word for word in ended.pauses[-1]), ended.pauses[-1]
    world.kube.unschedulable("w2", False)
    drain(world, "w1")
    assert world.kube.on("w1") == []
    assert len(world.kube.on("w2")) == 2


def test_what_belongs_to_the_node_stays(world: K3sWorld):
    world.kube.pod("flannel-x", "w1", namespace="kube-system", kind="DaemonSet")
    world.kube.pod("static-w1", "w1", annotations={"kubernetes.io/config.mirror": "abc"})
    world.kube.pod("job-1", "w1", kind="Job", phase="Succeeded")
    world.start("w1")
    cordon(world, "w1")
    assert node_of(world, "w1").running == 1
    drain(world, "w1")
    assert world.kube.on("w1") == ["default/job-1", "default/static-w1", "kube-system/flannel-x"]
    assert left(world, "w1") == ()
    assert node_of(world, "w1").drained


@pytest.mark.parametrize("what", ["unmanaged", "emptydir"])
def test_what_would_be_lost_is_refused_before_anything_moves(world: K3sWorld, what: str):
    world.start("w1")
    volumes = [{"name": "cache", "emptyDir": {}}]
    if what == "unmanaged":
        world.kube.pod("lonely", "w1")
    else:
        world.kube.pod("lonely", "w1", kind="StatefulSet", volumes=volumes)
    world.kube.pod("metrics-server-1", "w1", namespace="kube-system", kind="ReplicaSet", volumes=volumes)
    cordon(world, "w1")
    before = world.kube.on("w1")
    ended = hold(world, world.scheduler.where("w1"), lambda: world.scheduler.drain("w1", UPGRADE))
    assert isinstance(ended.error, RefusedError)
    assert "default/lonely" in str(ended.error)
    assert f"k3s_drain_{what}: true" in str(ended.error)
    assert world.kube.on("w1") == before
    world.scheduler = make(cluster(ROLES, **{f"k3s_drain_{what}": True}))
    world.kube.pods.pop(("kube-system", "metrics-server-1"))
    drain(world, "w1")
    assert world.kube.on("w1") == []


def test_a_pod_that_came_back_under_its_name_is_not_evicted_again(world: K3sWorld):
    world.kube.pod("db-0", "w1", kind="StatefulSet")
    old = kube.Pod(namespace="default", name="db-0", uid="pod-of-before", node="w1", phase="Running")
    assert must(world, ("m1",), lambda: kubectl.evict([old])) == {}
    assert world.kube.on("w1") == ["default/db-0"]
    gone = replace(old, name="db-1")
    assert must(world, ("m1",), lambda: kubectl.evict([gone])) == {}


def test_a_patch_that_somebody_else_was_quicker_than_is_made_anew(world: K3sWorld):
    times = []

    def interfere(name: str) -> None:
        if len(times) < 2:
            times.append(name)
            world.kube.nodes[name]["metadata"]["annotations"][f"theirs{len(times)}"] = "x"
            world.kube._touch(world.kube.nodes[name])

    world.kube.before_patch = interfere
    cordon(world, "w1", OPERATOR)
    notes = world.kube.nodes["w1"]["metadata"]["annotations"]
    assert notes["coreops.dev/cordon"] == '{"by": "operator", "token": 0, "previous": false}'
    assert {"theirs1", "theirs2"} <= set(notes)
    assert not world.open("w1")


@needs_kubectl
@pytest.mark.slow
def test_a_server_that_cannot_answer_sends_the_question_on(server: Server, hosts: dict[str, Box]):
    world = K3sWorld(server, hosts)
    ended = hold(world, ("w1",), kubectl.look)
    assert isinstance(ended.error, Elsewhere), "an agent has no kubeconfig, so kubectl tries localhost and is refused"
    must(world, ("w1", "m1"), kubectl.look)
    server.down = True
    try:
        ended = hold(world, ("m1",), kubectl.look)
    finally:
        server.down = False
    assert isinstance(ended.error, Elsewhere), ended.error


def test_a_host_that_is_no_node(world: K3sWorld):
    del world.kube.nodes["w1"]
    for verb in ("cordon", "drain", "uncordon"):
        say = getattr(world.scheduler, verb)
        ended = hold(world, ("m1",), lambda say=say: say("w1", UPGRADE))
        assert isinstance(ended.error, HostFailed)
        assert "does not know the node w1" in str(ended.error)
    assert removal(world, "w1").error is None


def test_a_drain_of_what_is_not_cordoned(world: K3sWorld):
    world.start("w1")
    ended = hold(world, ("m1",), lambda: world.scheduler.drain("w1", UPGRADE))
    assert "is not cordoned" in str(ended.error)
    assert world.running("w1") == 1


def test_a_server_leaves_etcd_before_it_is_deleted(world: K3sWorld):
    world.kill("m3")
    ended = removal(world, "m3")
    assert (ended.over, ended.error) == (True, None)
    assert "m3" not in world.kube.nodes
    assert ("kube-system", "m3.node-password.k3s") not in world.kube.secrets
    patches = [path for method, path in world.kube.requests if method in ("PATCH", "DELETE")]
    if isinstance(world, PlayedWorld):
        assert patches[:2] == ["/api/v1/nodes/m3", "/api/v1/nodes/m3"]


def test_a_removal_that_would_need_a_quorum_is_refused(world: K3sWorld):
    world.kill("m2")
    world.kill("m3")
    ended = removal(world, "m3")
    assert isinstance(ended.error, RefusedError)
    assert "1 of its 3 members are ready, and a change needs 2" in str(ended.error)
    assert "m3" in world.kube.nodes


def test_a_stray_is_removed_by_its_own_name(world: K3sWorld):
    world.kube.node("old-1", ready=False)
    assert {node.name for node in listed(world) if not node.host} == {"old-1"}
    assert removal(world, "old-1").error is None
    assert "old-1" not in world.kube.nodes


@pytest.mark.parametrize("name", ["-A", "$(reboot)", "a b", "a'b", "x\ny", "*", "ä", "UP"])
def test_a_name_that_means_something_to_a_shell_reaches_none(world: K3sWorld, name: str):
    ended = removal(world, name)
    assert isinstance(ended.error, HostFailed)
    assert not [each for each in world.kube.requests if each[0] != "GET"]


def test_services_are_called_what_users_call_them(world: K3sWorld):
    world.start("w1")
    world.kube.pod("db-0", "w2", namespace="data", kind="StatefulSet", owner="db")
    world.kube.pod("lonely", "w2")
    found = must(world, ("m1",), world.scheduler.workloads)
    assert {each.service for each in found} == {"default/task1", "data/db", "default/lonely"}
    assert {each.host for each in found} == {"w1", "w2"}


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b'{"items": 3}', b'{"items": [{"metadata": {"name": "a b"}}]}', b"\xff"]
)
def test_an_answer_that_is_none(text: bytes):
    with pytest.raises(HostFailed, match=r"cannot be read|impossible name"):
        kube.nodes(text)


@pytest.mark.parametrize(
    "note", ["", "[]", "{}", '{"by": "me", "token": 1, "previous": false}', '{"by": "upgrade", "token": "x"}']
)
def test_an_annotation_that_is_not_ours(note: str):
    node = KubeNode(name="w1", unschedulable=True, annotations={kube.CORDON: note, kube.FENCE: "many"})
    assert marks.cordoned(node) == "other"
    assert marks.uncordon(node, Mark(by="upgrade", token=0)) is None
