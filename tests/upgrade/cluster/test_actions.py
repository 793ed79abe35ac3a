"""What each action sends to its node, with which guard, and what it remembers of the node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coreops import events as ev
from coreops.errors import HostFailed, UnreachableError
from coreops.model import Record, ShellStep
from coreops.store.cluster import Member
from coreops.upgrade.cluster.actions import ACTIONS
from coreops.upgrade.cluster.world import World
from coreops.upgrade.drain.units import Units
from coreops.upgrade.gates.gateset import GateSet
from coreops.upgrade.ledger.protocol import Denial, Lease
from coreops.upgrade.observation import Ticket
from coreops.upgrade.plan import Patience
from coreops.upgrade.protocol import ROLLOUT, Action, Did, Do
from coreops.upgrade.slots.usr import UsrSlots

from ..samples import release, seen

MEMBERS = '{"members": [{"ID": 255, "name": "n1"}, {"ID": 4096, "name": "n2"}, {"ID": 48879, "name": "stranger"}]}'


class Nodes:
    """Writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[ShellStep] = []
        self.ran: list[Any] = []
        self.calls: list[str] = []
        self.error: Exception | None = None

    def ask(self, node: str, steps: Sequence[ShellStep]) -> dict[str, Record]:
        self.asked += steps
        if self.error:
            raise self.error
        return {step.id: Record(step.id, "ok", stdout=MEMBERS.encode()) for step in steps}

    def run(self, node: str, program: Any) -> None:
        self.ran.append(program)

    def expect_back(self, node: str) -> None:
        self.calls.append("expect_back")

    def is_back(self, node: str) -> None:
        self.calls.append("is_back")


class Ledger:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.deaf = False

    def acquire(self, node: str, *, reason: str, boot_id: str, takes_over: frozenset[str]) -> Lease:
        self.calls.append(("acquire", node, reason, boot_id, takes_over))
        return Lease(node=node, run="r", owner="me", token=42)

    def note(self, node: str, phase: str) -> None:
        if self.deaf:
            raise UnreachableError("lost", "no store")
        self.calls.append(("note", node, phase))

    def release(self, node: str) -> None:
        self.calls.append(("release", node))

    def deny(self, version: str, node: str, reason: str) -> None:
        self.calls.append(("deny", version, node, reason))

    def denied(self) -> tuple[Denial, ...]:
        return (Denial(version="0.9", node="", reason="", by="", run="", at=""),)


class Hooks:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def program(self, name: str, host: str, extra_vars: dict[str, str]) -> object | None:
        self.asked.append((name, host, extra_vars))
        return "a program" if name == "before_drain" else None


class Stand:
    def __init__(self) -> None:
        self.nodes, self.ledger, self.hooks = Nodes(), Ledger(), Hooks()
        self.told: list[ev.Event] = []
        members = {name: Member(name, f"10.0.0.{name[1]}") for name in ("n1", "n2")}
        self.world = World(
            run="r",
            version="1.1.0",
            nodes=self.nodes,  # type: ignore[arg-type]
            driver=UsrSlots(),
            gates=GateSet({}, ()),
            drains={"n1": Units(("app-*.service",))},
            patience=Patience(),
            hooks=self.hooks,  # type: ignore[arg-type]
            ledger=self.ledger,  # type: ignore[arg-type]
            members=members,
            emit=self.told.append,
            release=release("1.1.0"),
            image=Path("image"),
            takes_over=frozenset({"r0"}),
            seen={"n1": seen("1.0.0", boot_id="b1", failed_units=("old.service",))},
        )

    def do(self, action: Action, note: str = "", **other: Any) -> Did:
        do = Do(**{"node": "n1", "action": action, "serial": 3, "token": 42, "boot_id": "b1", **other})
        did = ACTIONS[action](self.world, do, note)
        assert (did.node, did.serial) == (do.node, 3)
        return did


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_a_lease_says_which_boot_it_is_for_and_whom_it_may_follow(stand: Stand) -> None:
    assert stand.do(Action.LEASE).token == 42
    assert stand.ledger.calls == [("acquire", "n1", "upgrade to 1.1.0", "b1", frozenset({"r0"}))]


def test_the_rollouts_lease_tells_what_is_denied(stand: Stand) -> None:
    assert stand.do(Action.LEASE, node=ROLLOUT).denied == {"0.9"}


@pytest.mark.parametrize(
    "action",
    [Action.DRAIN, Action.ACTIVATE, Action.REBOOT, Action.MARK_GOOD, Action.REVERT, Action.ROLL_BACK, Action.UNDRAIN],
)
def test_everything_that_changes_a_node_stands_behind_the_guard(stand: Stand, action: Action) -> None:
    stand.do(action)
    assert stand.nodes.asked
    for step in stand.nodes.asked:
        assert '"$boot" = b1 ]' in (step.act or "")
        assert '"$fence" -le 42 ]' in (step.act or "")


def test_staging_is_guarded_too_and_remembered(stand: Stand) -> None:
    stand.do(Action.STAGE)
    assert stand.nodes.ran[0]._guard.token == 42
    assert stand.world.seen["n1"].staged == stand.world.release.sha256  # type: ignore[union-attr]


def test_without_an_image_nothing_is_staged(stand: Stand) -> None:
    stand.world.image = None
    with pytest.raises(HostFailed, match="no image"):
        stand.do(Action.STAGE)


def test_the_ticket_tells_what_was_broken_before(stand: Stand) -> None:
    stand.do(Action.ACTIVATE)
    ticket = stand.world.seen["n1"].ticket
    assert ticket == Ticket(
        run="r",
        version="1.1.0",
        sha256=stand.world.release.sha256,  # type: ignore[union-attr]
        slot="USR-B",
        boot_id="b1",
        stage="activated",
        failed_units=("old.service",),
    )


def test_after_a_reboot_only_new_quick_attempts_count_also_when_the_answer_was_lost(stand: Stand) -> None:
    stand.do(Action.REBOOT)
    assert stand.nodes.calls == ["expect_back"]
    stand.nodes.error = UnreachableError("lost", "lost")
    with pytest.raises(UnreachableError):
        stand.do(Action.REBOOT)
    assert stand.nodes.calls == ["expect_back"] * 2


def test_the_leadership_goes_to_the_member_of_that_name(stand: Stand) -> None:
    stand.do(Action.MOVE_LEADER, detail="n2")
    assert "move-leader 1000" in (stand.nodes.asked[-1].act or "")
    stand.do(Action.MOVE_LEADER, detail="member:beef")
    assert "move-leader beef" in (stand.nodes.asked[-1].act or "")
    with pytest.raises(HostFailed, match="no member n9"):
        stand.do(Action.MOVE_LEADER, detail="n9")


def test_a_denial_has_its_reason(stand: Stand) -> None:
    stand.do(Action.DENY, note="etcd did not start", detail="1.1.0")
    assert stand.ledger.calls == [("deny", "1.1.0", "n1", "etcd did not start")]


def test_the_lease_is_marked_when_a_disruption_is_over_and_a_deaf_ledger_does_not_stop_it(stand: Stand) -> None:
    stand.do(Action.DRAIN)
    assert stand.ledger.calls == [("note", "n1", "drain")]
    stand.do(Action.ROLL_BACK)
    stand.do(Action.REBOOT)
    assert stand.ledger.calls[1:] == [("note", "n1", "roll back, reboot")], "said before the reboot is ordered"
    stand.ledger.deaf = True
    stand.do(Action.ACTIVATE)
    assert [type(event) for event in stand.told] == [ev.Notice]


def test_hooks_are_told_what_it_is_about(stand: Stand) -> None:
    stand.do(Action.BEFORE_DRAIN)
    stand.do(Action.AFTER_REBOOT)
    told = {"upgrade_version": "1.1.0", "upgrade_from": "1.0.0", "upgrade_slot": "USR-A"}
    assert stand.hooks.asked == [("before_drain", "n1", told), ("after_reboot", "n1", told)]
    assert stand.nodes.ran == ["a program"]


def test_a_check_forgives_what_the_ticket_remembers(stand: Stand) -> None:
    ticket = Ticket(run="r", version="1.1.0", sha256="", slot="USR-B", boot_id="b0", stage="activated", failed_units=())
    said = Record("health", "ok", stdout=b"state degraded\nfailed old.service\n")
    stand.nodes.ask = lambda node, steps: {"health": said}  # type: ignore[method-assign]
    assert stand.do(Action.CHECK).health.verdict == "ok"  # type: ignore[union-attr]
    stand.world.seen["n1"] = replace(stand.world.seen["n1"], ticket=ticket)
    assert stand.do(Action.CHECK).health.verdict == "bad"  # type: ignore[union-attr]
