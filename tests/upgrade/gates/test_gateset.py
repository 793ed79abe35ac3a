"""A node's health: the real scripts in real shells, with a systemctl, etcdctl and curl that say what a test wants."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coreops.model import Record
from coreops.store import etcdctl
from coreops.store.cluster import Member
from coreops.upgrade.gates import gateset
from coreops.upgrade.gates.etcd import BEHIND
from coreops.upgrade.gates.gateset import GateSet
from coreops.upgrade.gates.spec import Gate, Sample, parse
from coreops.upgrade.observation import Health, StoreView
from tests.support.shells import EACH_SHELL, run_steps

MEMBERS = [Member(name, f"10.0.0.{n}") for n, name in enumerate(("n1", "n2", "n3"), 1)]
NAMES = frozenset({"n1", "n2", "n3"})


class Node:
    """A folder in front of PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vetoes = folder / "veto.d"
        self.state("running")

    def program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)

    def state(self, state: str, failed: str = "", unit: str = "active") -> None:
        listed = "".join(f"echo '{each} loaded failed failed about it'\n" for each in failed.split())
        self.program(
            "systemctl",
            f"case $1 in\nis-system-running) echo {state}; [ {state} = running ] ;;\n"
            f"list-units) {listed or ':'} ;;\nis-active) echo {unit}; [ {unit} = active ] ;;\nesac\n",
        )

    def health(self, gates=(), moment="before", shell="dash", baseline=(), members=(), ask=None) -> Health:
        made = GateSet(
            {"n1": parse(list(gates))},
            members,
            vetoes=str(self.vetoes),
            folder=str(self.folder),
            **({"ask": ask} if ask else {}),
        )
        program, outcome = run_steps(made.steps("n1", moment), shell)
        assert outcome.state == "done", outcome
        return made.judge("n1", moment, program.records, baseline)


@pytest.fixture
def node(tmp_path, monkeypatch) -> Node:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin:/usr/sbin:/sbin")
    monkeypatch.setattr(etcdctl, "PROGRAM", str(tmp_path / "etcdctl"))
    made = Node(tmp_path)
    made.program("curl", "exit 7")
    return made


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_a_node_that_is_well(node, shell):
    assert node.health(shell=shell) == Health()
    assert node.health(shell=shell, moment="after") == Health()


@pytest.mark.parametrize(
    ("state", "verdict"),
    [("degraded", "ok"), ("starting", "wait"), ("stopping", "wait"), ("maintenance", "bad"), ("offline", "bad")],
)
def test_the_state_of_the_system(node, state, verdict):
    node.state(state)
    assert node.health().verdict == verdict
    assert node.health(moment="after").verdict == verdict


def test_only_units_that_fail_anew_count_and_only_afterwards(node):
    node.state("degraded", "old.service new\\x2dx.service")
    assert node.health().verdict == "ok"
    after = node.health(moment="after", baseline=("old.service",))
    assert after == Health(verdict="bad", reasons=("new\\x2dx.service has failed",))


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_vetoes_hold_the_node_before_it_goes_down_and_not_afterwards(node, shell):
    node.vetoes.mkdir()
    (node.vetoes / "backup").write_text("half way\nthrough\x1b[31m $(reboot)\n")
    (node.vetoes / "-rf *\nüber").symlink_to("/nowhere")
    (node.vetoes / ".hidden").write_text("not yet whole")
    found = node.health(shell=shell)
    assert found.verdict == "wait"
    assert set(found.reasons) == {"vetoed by backup: half way through [31m $(reboot)", "vetoed by -rf * über"}
    assert node.health(shell=shell, moment="after").verdict == "ok"


def test_gates_of_the_node(node):
    gates = [
        {"unit": "app.service"},
        {"command": "echo \"it's\"; echo 'not $(ready)' >&2; exit 1", "name": "ready"},
        {"command": "exit 0", "name": "fine", "when": "before"},
        {"command": "exit 5", "name": "later", "when": "after"},
    ]
    node.state("running", unit="activating")
    found = node.health(gates)
    assert found.verdict == "bad"
    assert found.reasons == ("gate unit app.service: app.service is activating", "gate ready: not $(ready)")
    assert node.health(gates[:1]).verdict == "wait"
    assert node.health(gates[2:]).verdict == "ok"
    assert node.health(gates[2:], "after").reasons == ("gate later: exit 5",)


def test_on_a_drained_node_the_operators_gates_wait_for_the_reboot(node):
    def ask(gate: Gate) -> Sample:
        return Sample("bad", "asked")

    gates = [{"command": "exit 1", "name": "app"}, {"prometheus": {"url": "http://p", "query": "x"}, "name": "alerts"}]
    (node.folder / "drained").touch()
    assert node.health(gates, ask=ask) == Health()
    assert node.health(gates, "after", ask=ask).reasons == ("gate app: exit 1", "gate alerts: asked")
    node.state("stopping")
    assert node.health(gates, ask=ask).verdict == "wait"


def test_a_command_that_takes_too_long_is_bad(node):
    assert node.health([{"command": "sleep 60", "timeout": 1}]).verdict == "bad"


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_http_from_the_node(node, shell):
    node.program(
        "curl",
        f'cat >{node.folder}/config\nwhile [ $# -gt 0 ]; do case $1 in -o) printf \'%s\' "it\'s up" >"$2" ;; esac; '
        "shift; done\nprintf 200\n",
    )
    assert node.health([{"http": {"url": 'http://h/"x\\', "contains": "it's"}}], shell=shell) == Health()
    assert (node.folder / "config").read_text() == 'url = "http://h/\\"x\\\\"\n'
    wrong = node.health([{"http": {"url": "http://h", "contains": "$(x) -e *"}}], shell=shell)
    assert wrong.reasons == ("gate http http://h: http://h answered 200 without '$(x) -e *'",)
    assert "wanted 204" in node.health([{"http": {"url": "http://h", "status": 204}}], shell=shell).reasons[0]
    node.program("curl", "echo 'curl: (7) refused' >&2; exit 7")
    assert "curl: (7) refused" in node.health([{"http": "http://h"}], shell=shell).reasons[0]


def test_tcp_from_the_node(node):
    node.program("bash", 'case $* in *" 127.0.0.1 7") exit 0 ;; esac; exit 1')
    assert node.health([{"tcp": {"port": 7}}]).verdict == "ok"
    assert node.health([{"tcp": {"port": 8}}]).reasons == ("gate tcp 127.0.0.1:8: no connection to 127.0.0.1:8",)


def test_gates_of_the_controller_are_asked_by_it(node):
    asked: list[Gate] = []

    def ask(gate: Gate) -> Sample:
        asked.append(gate)
        return Sample("bad", "no answer")

    gates = [{"prometheus": {"url": "http://p", "query": "x"}}, {"http": {"url": "http://h", "from": "controller"}}]
    assert node.health(gates, ask=ask).reasons == ("gate prometheus x: no answer", "gate http http://h: no answer")
    assert [gate.name for gate in asked] == ["prometheus x", "http http://h"]


def test_no_answer_is_a_bad_one():
    made = GateSet({"n1": parse([{"unit": "a.service"}])}, MEMBERS)
    found = made.judge("n1", "before", {})
    assert found.verdict == "bad"
    assert found.store == StoreView(voters=NAMES)
    assert found.reasons == (
        "the node could not be asked for its health",
        "gate unit a.service: the node did not answer",
    )
    failed = Record(gateset.HEALTH, "failed", 124, stderr=b"took too long\n")
    assert made.judge("n2", "before", {gateset.HEALTH: failed}).reasons == (
        "the node could not be asked for its health: took too long",
    )


class Store:
    """Three members as etcdctl shows them, and etcd's gateway."""

    def __init__(self) -> None:
        self.members = [
            {"ID": n, "name": m.name, "peerURLs": [m.peer_url], "clientURLs": [m.client_url]}
            for n, m in enumerate(MEMBERS, 1)
        ]
        self.status = [
            {
                "Endpoint": m.client_url,
                "Status": {
                    "header": {"cluster_id": 9, "member_id": n},
                    "leader": 2,
                    "raftIndex": 9000,
                    "raftAppliedIndex": 9000,
                },
            }
            for n, m in enumerate(MEMBERS, 1)
        ]
        self.health = [{"endpoint": m.client_url, "health": True} for m in MEMBERS]

    def install(self, node: Node) -> None:
        for name in ("members", "status", "health"):
            (node.folder / name).write_text(json.dumps(getattr(self, name)) + "\n")
        (node.folder / "members").write_text(json.dumps({"members": self.members}))
        node.program(
            "etcdctl",
            f"case $* in *member*list*) cat {node.folder}/members ;; *status*) cat {node.folder}/status ;;\n"
            f"*health*) cat {node.folder}/health; exit 1 ;; esac\n",
        )

    def install_gateway(self, node: Node) -> None:
        """A curl that answers what was asked for: numbers are strings there, and a member that is not well says 503."""
        status = {each["Endpoint"]: json.dumps(each["Status"], indent=1) for each in self.status}
        well = {each["endpoint"] for each in self.health if each["health"]}
        answers = [("members", json.dumps({"members": [{**m, "ID": str(m["ID"])} for m in self.members]}))]
        for number, member in enumerate(MEMBERS, 1):
            answers.append((f"status.{number}", status.get(member.client_url, "")))
            answers.append((f"health.{number}", '{"health":"true"}' if member.client_url in well else ""))
        said = "".join(f"{text}\n@{key} {200 if text else 503}\n" for key, text in answers)
        (node.folder / "said").write_text(said)
        node.program("curl", f"cat >{node.folder}/asked; cat {node.folder}/said\n")


VIEW = StoreView(voters=NAMES, healthy=NAMES, leader="n2")


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_a_store_that_is_well_is_asked_through_its_gateway(node, shell):
    Store().install_gateway(node)
    node.program("etcdctl", "exit 1")
    assert node.health(members=MEMBERS, shell=shell) == Health(store=VIEW)
    assert node.health(members=MEMBERS, shell=shell, moment="after") == Health(store=VIEW)
    asked = (node.folder / "asked").read_text()
    assert asked.count("url = ") == 7
    assert asked.count("/etc/etcd/pki/client.key") == 7, "curl forgets it from one request to the next"


@pytest.mark.parametrize("shell", EACH_SHELL)
@pytest.mark.parametrize(
    ("change", "voters"),
    [
        (lambda store: store.members.append({"ID": 255, "clientURLs": ["https://10.9.9.9:2379"]}), {"member:ff"}),
        (lambda store: store.health.pop(0), set()),
        (lambda store: store.status.pop(0), set()),
    ],
)
def test_where_the_gateway_does_not_tell_all_etcdctl_is_asked(node, shell, change, voters):
    store = Store()
    store.install(node)
    change(store)
    store.install_gateway(node)
    if voters:
        store.install(node)
    found = node.health(members=MEMBERS, shell=shell)
    assert found == Health(store=StoreView(voters=NAMES | voters, healthy=NAMES, leader="n2"))


@pytest.mark.parametrize("curl", ["exit 127", "echo '404 page not found'; echo; echo '@members 404'", "echo @x 200"])
def test_a_node_without_a_gateway_asks_etcdctl(node, curl):
    Store().install(node)
    node.program("curl", curl)
    assert node.health(members=MEMBERS) == Health(store=VIEW)


@pytest.mark.parametrize("change", [{"leader": "1"}, {"raftAppliedIndex": "1"}, {"errors": ["NOSPACE"]}])
def test_what_the_gateway_says_of_a_member_is_judged_as_ever(node, change):
    store = Store()
    store.status[0]["Status"].update(change)
    store.install_gateway(node)
    found = node.health(members=MEMBERS)
    assert found.store == StoreView(voters=NAMES, healthy=frozenset({"n2", "n3"}), leader="n2")


def test_a_store_that_is_well(node):
    Store().install(node)
    view = StoreView(voters=NAMES, healthy=NAMES, leader="n2")
    assert node.health(members=MEMBERS) == Health(store=view)
    assert node.health(members=MEMBERS, moment="after") == Health(store=view)
    assert node.health(members=MEMBERS[1:]).store is None, "n1 is no member"


def test_its_own_member_counts_afterwards_and_the_others_are_told(node):
    store = Store()
    store.status[0]["Status"]["raftAppliedIndex"] = 9000 - BEHIND - 1
    store.health[2]["health"] = False
    store.members.append({"ID": 255, "peerURLs": ["https://10.9.9.9:2380"]})
    store.install(node)
    view = StoreView(voters=NAMES | {"member:ff"}, healthy=frozenset({"n2"}), leader="n2")
    assert node.health(members=MEMBERS) == Health(store=view)
    after = node.health(members=MEMBERS, moment="after")
    assert after.verdict == "bad"
    assert after.reasons == (f"its member of etcd is {BEHIND + 1} entries behind",)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda store: store.members[0].update(isLearner=True), "is a learner"),
        (lambda store: store.members.pop(0), "the cluster does not know its member"),
        (lambda store: store.status.pop(0), "does not answer"),
        (lambda store: store.status[0]["Status"].update(leader=1), "follows no leader, or another one"),
        (lambda store: store.status[0]["Status"].update(errors=["NOSPACE"]), "says NOSPACE"),
        (lambda store: store.health.pop(0), "is not healthy"),
    ],
)
def test_what_may_be_wrong_with_its_member(node, change, says):
    store = Store()
    change(store)
    store.install(node)
    found = node.health(members=MEMBERS, moment="after")
    assert found.verdict == "bad"
    assert says in found.reasons[0]
    assert found.store is not None
    assert "n1" not in found.store.healthy


@pytest.mark.parametrize("program", ["exit 1", "echo oops", "echo '[]'", "echo '{\"members\": [{}]}'"])
def test_a_store_that_does_not_answer_has_no_healthy_voter(node, program):
    node.program("etcdctl", program)
    for moment in ("before", "after"):
        found = node.health(members=MEMBERS, moment=moment)
        assert found.verdict == "bad"
        assert found.reasons == ("etcd does not answer",)
        assert found.store == StoreView(voters=NAMES)


def test_a_member_may_take_as_long_as_the_operator_says():
    [quick, *_] = GateSet({}, MEMBERS).steps("n1", "before")
    [slow, *_] = GateSet({}, MEMBERS, answer=14.5).steps("n1", "before")
    assert "max-time = 2\n" in quick.probe
    assert "--command-timeout=2s" in quick.probe
    assert "max-time = 15\n" in slow.probe
    assert "--command-timeout=15s" in slow.probe
    assert slow.timeout > quick.timeout >= 60
