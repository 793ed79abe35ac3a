"""Between coordinator and cluster: everything is written down before it is sent, waits are kept, stops heard."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from coreops import events as ev
from coreops.errors import InterruptedRun
from coreops.upgrade.coordinator import Coordinator
from coreops.upgrade.observation import Health, Observation, Ticket
from coreops.upgrade.plan import NodePlan, Patience, Plan, Policy
from coreops.upgrade.protocol import ROLLOUT, Action, Did, Do, Failed, Happening
from coreops.upgrade.running.rollout import Rollout
from coreops.upgrade.running.runs import Log, Run
from tests.upgrade.samples import seen

PATIENCE = Patience(survey=5, lease=5, gate=5, drain=0.3, act=5, back=5, health=5, interval=0.02)
SHA = "a" * 64


class Obedient:
    """Nodes that do what they are told, at once. ``slow``: actions that are never answered; ``fail``: that fail."""

    def __init__(self, log: Path, *nodes: str) -> None:
        self.answers: SimpleQueue[Happening | Exception] = SimpleQueue()
        self.seen: dict[str, Observation] = {name: seen("1.0.0", boot_id=f"{name}-1") for name in nodes}
        self.done: list[tuple[str, Action]] = []
        self.notes: list[str] = []
        self.times: dict[int, float] = {}
        self.slow: set[Action] = set()
        self.fail: set[Action] = set()
        self.on: dict[Action, threading.Event] = {}
        self._log = log

    def send(self, do: Do, note: str = "") -> None:
        serials = [entry["do"]["serial"] for entry in Run(self._log).lines() if "do" in entry]
        assert do.serial in serials, "sent before it was written down"
        self.times[do.serial] = time.monotonic() - do.at
        self.done.append((do.node, do.action))
        self.notes += [note] if note else []
        if do.action in self.on:
            self.on[do.action].set()
        if do.action in self.slow:
            return
        if do.action in self.fail:
            self.answers.put(Failed(do.node, do.serial, "it would not"))
            return
        self.answers.put(self._did(do))

    def _did(self, do: Do) -> Did:
        if do.node == ROLLOUT:
            return Did(do.node, do.serial, token=1)
        now = self.seen[do.node]
        match do.action:
            case Action.STAGE:
                now = replace(now, staged=SHA)
            case Action.ACTIVATE:
                ticket = Ticket(
                    run="r", version="1.1.0", sha256=SHA, slot="USR-B", boot_id=now.boot_id, stage="activated"
                )
                now = replace(now, ticket=ticket)
            case Action.REBOOT:
                now = replace(now, boot_id=now.boot_id + "1", slot="USR-B", version="1.1.0")
            case Action.UNDRAIN:
                now = replace(now, ticket=None)
        self.seen[do.node] = now
        health = Health() if do.action in (Action.GATE, Action.CHECK) else None
        return Did(do.node, do.serial, seen=now if do.action is Action.SURVEY else None, health=health, token=7)


def plan(*nodes: str, **policy: object) -> Plan:
    rules = Policy(soak=0.0, samples=1, patience=PATIENCE)
    return Plan(
        run="r",
        version="1.1.0",
        sha256=SHA,
        nodes=tuple(NodePlan(name=name) for name in nodes),
        policy=replace(rules, **policy),  # type: ignore[arg-type]
    )


class Stand:
    """A rollout over obedient nodes."""

    def __init__(self, folder: Path, *nodes: str) -> None:
        self.told: list[ev.Event] = []
        self.log = Log(folder)
        self.nodes = Obedient(folder, *nodes)
        self.coordinator = Coordinator(plan(*nodes))
        self.rollout = Rollout(self.coordinator, self.nodes, self.log, self.told.append)

    def ends(self) -> dict[str, str]:
        return {event.host: event.state for event in self.told if isinstance(event, ev.NodeFinished)}


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path, "n1", "n2")


def test_it_ends_with_every_node_told(stand: Stand, tmp_path: Path) -> None:
    assert stand.rollout.run() == 0
    assert stand.ends() == {"n1": "done", "n2": "done"}
    phases = [event.phase for event in stand.told if isinstance(event, ev.NodePhase) and event.host == "n1"]
    assert [p for p in phases if p in ("stage", "drain", "reboot", "check")] == ["stage", "drain", "reboot", "check"]
    assert Run(tmp_path).state()["over"] is True


def test_what_was_heard_is_written_too(stand: Stand, tmp_path: Path) -> None:
    stand.rollout.run()
    entries = list(Run(tmp_path).lines())
    answered = {entry["did"]["serial"] for entry in entries if "did" in entry}
    assert answered == {entry["do"]["serial"] for entry in entries if "do" in entry}


def test_nothing_is_sent_before_its_moment(stand: Stand) -> None:
    stand.nodes.fail.add(Action.UNDRAIN)
    assert stand.rollout.run() == 1
    assert min(stand.nodes.times.values()) >= 0


def test_a_stop_lets_what_is_under_way_end(stand: Stand) -> None:
    rebooting = stand.nodes.on[Action.REBOOT] = threading.Event()
    threading.Thread(target=lambda: rebooting.wait(120) and stand.rollout.stop("enough"), daemon=True).start()
    stand.nodes.on[Action.MARK_GOOD] = threading.Event()
    code = stand.rollout.run()
    assert "done" in stand.ends().values()
    assert code in (0, 5), "the second node may have had its turn already"


def test_coreops_abort_is_heard(stand: Stand, tmp_path: Path) -> None:
    stand.nodes.slow.add(Action.STAGE)
    Run(tmp_path).ask_to_stop()
    assert stand.rollout.run() == 5
    assert set(stand.ends().values()) == {"not reached"}
    assert any(isinstance(event, ev.Notice) and "coreops abort" in event.text for event in stand.told)


def test_leaving_is_at_once_and_can_be_resumed(stand: Stand) -> None:
    stand.nodes.slow.add(Action.SURVEY)
    stand.rollout.leave("twice")
    with pytest.raises(InterruptedRun, match="twice"):
        stand.rollout.run()
    assert set(stand.ends().values()) == {"not reached"}, "no node without a word"


def test_what_is_left_half_done_is_said(stand: Stand) -> None:
    stand.nodes.slow.add(Action.CHECK)
    checking = stand.nodes.on[Action.CHECK] = threading.Event()
    threading.Thread(target=lambda: checking.wait(120) and stand.rollout.leave("twice"), daemon=True).start()
    with pytest.raises(InterruptedRun):
        stand.rollout.run()
    assert sorted(stand.ends().values()) == ["lost", "not reached"]


def test_a_bug_in_a_worker_is_not_swallowed(stand: Stand) -> None:
    stand.nodes.slow.add(Action.SURVEY)
    stand.nodes.answers.put(ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        stand.rollout.run()


def test_patience_ends_by_itself(tmp_path: Path) -> None:
    stand = Stand(tmp_path, "n1")
    short = replace(plan("n1"), policy=Policy(soak=0, samples=1, patience=replace(PATIENCE, survey=0.2)))
    stand.rollout = Rollout(Coordinator(short), stand.nodes, stand.log, stand.told.append)
    stand.nodes.slow.add(Action.SURVEY)
    assert stand.rollout.run() == 3
    assert stand.ends() == {"n1": "unreachable"}
