"""The scheduler's part in a turn: what speaks against it, and who is asked what, in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from coreops.errors import HostFailed, UnreachableError
from coreops.schedulers.protocol import Cluster, Fenced, Host, Mark, Node
from coreops.upgrade.cluster.actions import ACTIONS
from coreops.upgrade.cluster.cluster import kind_of
from coreops.upgrade.cluster.scheduling import Scheduling, objection
from coreops.upgrade.observation import Health
from coreops.upgrade.protocol import Action, Do

from .test_actions import Stand

CLUSTER = Cluster(
    scheduler="swarm",
    hosts=tuple(Host(name=f"n{i}", address=f"10.0.0.{i}", role="manager" if i < 4 else "worker") for i in range(1, 5)),
)


def nodes(down: Sequence[str] = ()) -> tuple[Node, ...]:
    return tuple(
        Node(name=f"id-{host.name}", host=host.name, role=host.role, state="down" if host.name in down else "ready")
        for host in CLUSTER.hosts
    )


class Recorder:
    """Both hands and scheduler: writes down what it is asked, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.nodes_: tuple[Node, ...] = nodes()
        self.error: Exception | None = None
        self.cluster = CLUSTER

    def talk(self, hosts: Sequence[str], make: Callable[[], Any], *, patience: float, title: str) -> Any:
        if self.error:
            raise self.error
        result = make()
        self.said.append((title, tuple(hosts), result))
        return self.nodes_ if result == "nodes" else None

    def where(self, host: str) -> tuple[str, ...]:
        return tuple(name for name in ("n1", "n2", "n3") if name != host)

    def nodes(self) -> str:
        return "nodes"

    def cordon(self, host: str, mark: Mark) -> Mark:
        return mark

    drain = uncordon = cordon


def scheduling(recorder: Recorder) -> Scheduling:
    return Scheduling(recorder, recorder)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("node", "moment", "down", "why"),
    [
        ("n1", "before", (), ""),
        ("n1", "before", ("n2",), "swarm would lose its quorum: 2 of 3 managers are ready"),
        ("n2", "before", ("n2",), ""),
        ("n4", "before", ("n2",), ""),
        ("n4", "after", ("n4",), "the node is down in swarm"),
        ("n4", "after", ("n1",), ""),
        ("n9", "after", (), "swarm does not know the node"),
    ],
)
def test_what_speaks_against_it(node: str, moment: Any, down: Sequence[str], why: str) -> None:
    assert objection("swarm", node, moment, nodes(down)) == why


def test_a_scheduler_without_a_quorum_of_its_own_does_not_hold_up_managers() -> None:
    assert objection("fleet", "n1", "before", nodes(("n2", "n3"))) == ""


def test_a_scheduler_that_does_not_answer_is_waited_for() -> None:
    recorder = Recorder()
    recorder.error = UnreachableError("lost", "no manager answers")
    health = scheduling(recorder).judged("n1", "after", Health(), scheduling(recorder).look())
    assert (health.verdict, health.reasons) == ("wait", ("swarm does not answer: no manager answers",))


def test_a_bad_verdict_stays_bad() -> None:
    health = scheduling(Recorder()).judged("n4", "after", Health(verdict="bad", reasons=("x failed",)), nodes(("n4",)))
    assert (health.verdict, health.reasons) == ("bad", ("x failed", "the node is down in swarm"))


@pytest.fixture
def stand() -> Stand:
    stand = Stand()
    stand.recorder = Recorder()  # type: ignore[attr-defined]
    stand.world.scheduling = scheduling(stand.recorder)  # type: ignore[attr-defined]
    asked = stand.nodes.ask

    def ask(node: str, steps: Any) -> Any:
        stand.recorder.said += [(step.id,) for step in steps]  # type: ignore[attr-defined]
        return asked(node, steps)

    stand.nodes.ask = ask  # type: ignore[method-assign]
    return stand


def run(stand: Any, action: Action) -> list[str]:
    ACTIONS[action](stand.world, Do("n1", action, 1, token=7, boot_id="b1"), "")
    return [said[0] for said in stand.recorder.said]


def test_the_node_remembers_first_and_forgets_last(stand: Stand) -> None:
    assert run(stand, Action.CORDON) == ["cordon", "cordon n1"]
    stand.recorder.said.clear()  # type: ignore[attr-defined]
    assert run(stand, Action.DRAIN) == ["cordon", "cordon n1", "drain n1", "drain"]
    stand.recorder.said.clear()  # type: ignore[attr-defined]
    assert run(stand, Action.UNDRAIN) == ["uncordon n1", "uncordon", "slots.finish"]


def test_marks_carry_the_lease_s_token_and_others_are_asked(stand: Any) -> None:
    run(stand, Action.CORDON)
    assert stand.recorder.said[-1] == ("cordon n1", ("n2", "n3"), Mark(by="upgrade", token=7))


def test_the_scheduler_is_asked_beside_the_node_s_health(stand: Any) -> None:
    stand.recorder.nodes_ = nodes(("n1",))
    did = ACTIONS[Action.CHECK](stand.world, Do("n1", Action.CHECK, 1), "")
    assert did.health is not None
    assert "the node is down in swarm" in did.health.reasons


def test_a_host_without_the_scheduler_is_none_of_its_business(stand: Any) -> None:
    stand.world.scheduling.hosts = frozenset({"n2"})
    assert run(stand, Action.DRAIN) == ["cordon", "drain"]


def test_a_fenced_mark_is_a_fenced_failure() -> None:
    assert kind_of(Fenced("a newer controller has been here")) == "fenced"
    assert kind_of(HostFailed("no")) == "failed"


def test_no_upgrade_drain_may_stop_the_engine_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from coreops.errors import InputError
    from coreops.schedulers import settings
    from coreops.upgrade.planning import prepare
    from coreops.upgrade.planning.request import Request

    text = "store: {hosts: {n1: {address: 10.0.0.1}}, vars: {scheduler: swarm, upgrade_drain: {units: ['docker.*']}}}\n"
    text = text.replace("docker.*", "docker*.service")
    path = tmp_path / "hosts.yml"
    path.write_text(text)
    wanted = SimpleNamespace(name="swarm", targets={"n1": None})
    monkeypatch.setattr(settings, "read", lambda inventory, connection: wanted)
    with pytest.raises(InputError, match=r"would stop docker.service on n1"):
        prepare.read(Request(inventory=str(path), kind="rollback"), lambda event: None)
