"""How heal looks, asks, acts and looks again; and what it sends for an act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import pytest

from coreops.errors import CoreopsError, ExitCode, HostFailed, RefusedError, UnreachableError
from coreops.healing.act import Acts, removal
from coreops.healing.decide import Act, Forget, Plan, Rejoin, Remove
from coreops.healing.loop import Healer
from coreops.healing.seen import Machine, Seen
from coreops.model import Record, ShellStep
from tests.healing.world import AFTER, World, three


class End(Exception):
    """A watch ends with Ctrl-C."""


@dataclass
class Desk:
    """A healer over a world; what it showed, asked and did."""

    world: World
    approves: bool = True
    rounds: int = 20
    did: list[Act] = field(default_factory=list)
    shown: list[Plan] = field(default_factory=list)
    asked: int = 0
    told: list[str] = field(default_factory=list)
    errors: list[CoreopsError] = field(default_factory=list)
    now: float = 0.0

    @property
    def healer(self) -> Healer:
        return Healer(
            self.world.look, self.act, self.shown.append, self.approve, self.told.append, self.sleep, lambda: self.now
        )

    def act(self, act: Act) -> None:
        if self.errors:
            raise self.errors.pop()
        self.did.append(act)
        self.world.act(act)

    def approve(self, plan: Plan) -> bool:
        self.asked += 1
        return self.approves

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.world.tick()
        self.rounds -= 1
        if self.rounds < 0:
            raise End


def wiped(size: int = 3) -> World:
    world = World(size)
    world.boxes["n2"].holds, world.boxes["n2"].running = None, False
    return world


def test_once_it_asks_once_and_acts_until_all_is_well() -> None:
    desk = Desk(wiped(5))
    desk.world.boxes["n3"].holds = None
    assert desk.healer.once() == ExitCode.DONE
    assert [act.name for act in desk.did] == ["n2, n3"]
    assert desk.asked == 1
    assert desk.shown[-1].nothing


def test_without_consent_nothing_is_done() -> None:
    desk = Desk(wiped(), approves=False)
    assert desk.healer.once() == ExitCode.REFUSED
    assert not desk.did


def test_one_that_is_only_down_is_unreachable_and_a_lost_quorum_refused() -> None:
    desk = Desk(World(3))
    desk.world.boxes["n1"].on = False
    assert desk.healer.once() == ExitCode.UNREACHABLE
    desk.world.boxes["n2"].on = False
    assert desk.healer.once() == ExitCode.REFUSED
    assert not desk.asked


def test_an_act_that_does_not_help_is_not_done_for_ever() -> None:
    desk = Desk(wiped())
    healer = desk.healer
    healer.act = desk.did.append
    with pytest.raises(HostFailed, match="it is still due"):
        healer.once()
    assert len(desk.did) == 3


def test_watching_gives_up_what_is_silent_and_goes_on_after_an_error() -> None:
    desk = Desk(World(3), errors=[RefusedError("n3 is leased")])
    desk.world.boxes["n3"].on = False
    with pytest.raises(End):
        desk.healer.watch(AFTER)
    assert [type(act) for act in desk.did] == [Remove, Forget]
    assert "n3 is leased" in desk.told[1]
    assert desk.asked == 1


def test_a_lost_connection_in_an_act_is_tried_again() -> None:
    desk = Desk(wiped(), errors=[UnreachableError("lost", "connection lost")])
    assert desk.healer.once() == ExitCode.DONE
    assert "connection lost; looking again" in desk.told


def test_watching_does_not_ask_again_for_what_was_declined() -> None:
    desk = Desk(wiped(), approves=False)
    with pytest.raises(End):
        desk.healer.watch(AFTER)
    assert desk.asked == 1
    assert not desk.did


class Sent:
    """What acts do, noted."""

    def __init__(self, state: str = "changed") -> None:
        self.state = state
        self.done: list[object] = []

    def acts(self) -> Acts:
        return Acts.of(self.ask, ["https://10.0.0.1:2379"], self.done.append, self.done.append, self.lease)

    def ask(self, steps: Sequence[ShellStep]) -> Mapping[str, Record]:
        self.done += steps
        return {step.id: Record(step.id, self.state, 1, stderr=b"x\nit serves again\n") for step in steps}  # type: ignore[arg-type]

    def lease(self, hosts: Sequence[str]) -> AbstractContextManager[object]:
        self.done.append(tuple(hosts))
        return nullcontext()


def test_acts_are_done_under_the_lease_of_their_hosts() -> None:
    sent = Sent()
    for act in (Rejoin(("n1", "n2"), "w"), Forget("x9", "n3", "swarm", "w"), Forget("x8", "", "swarm", "w")):
        sent.acts()(act)
    assert sent.done[0::2] == [("n1", "n2"), ("n3",), ("x8",)]
    with pytest.raises(HostFailed, match="could not remove the member old") as failed:
        Sent("failed").acts()(Remove("old", 9, "w", ("https://10.0.0.9:2379",)))
    assert failed.value.why == "it serves again"


def test_a_member_is_asked_one_last_time_before_it_goes() -> None:
    step = removal(Remove("o'ld", 0xBEEF, "w", ("https://10.0.0.9:2379",)), "id", ["https://10.0.0.1:2379"])
    assert step.act is not None
    first, rest = step.act.split("\n", 1)
    assert "endpoint health" in first
    assert "https://10.0.0.9:2379" in first
    assert "exit 1" in first
    assert "member remove beef" in rest
    assert "endpoint health" not in (removal(Remove("old", 9, "w"), "id", ["https://10.0.0.1:2379"]).act or "")


def test_without_a_quorum_a_silent_member_is_said_to_be_needed() -> None:
    from coreops.healing.decide import decide

    seen: Seen = replace(three(n3=Machine(host="n3", store=True, why="no route", data=True)), members=None)
    assert "it may be the one that is needed" in decide(seen).waiting[0].why
