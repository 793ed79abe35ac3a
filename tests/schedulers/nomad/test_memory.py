"""Whose cordon it is, when others are at it too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from coreops.model import Record, ShellStep
from coreops.schedulers.protocol import Fenced
from tests.schedulers.nomad.fake_state import Node
from tests.schedulers.nomad.world import NomadWorld
from tests.schedulers.worlds import OPERATOR, UPGRADE, cordon, drain, hold, must, node_of, uncordon


def foreign(world: NomadWorld, word: str) -> None:
    id = world.nomad.named("w1").id
    world.nomad.handle("n1", "PUT", f"/v1/node/{id}/eligibility", f'{{"Eligibility": "{word}"}}'.encode())


def foreign_drain(world: NomadWorld) -> None:
    id = world.nomad.named("w1").id
    body = b'{"DrainSpec": {"Deadline": 0, "IgnoreSystemJobs": false}, "Meta": null}'
    world.nomad.handle("n1", "PUT", f"/v1/node/{id}/drain", body)


class Interrupted(NomadWorld):
    """Something happens just before a request."""

    def __init__(self, before: str, act: Callable[[NomadWorld], None]) -> None:
        super().__init__()
        self.before, self.act = before, act

    def run(self, host: str, step: ShellStep) -> Record:
        if step.act and self.before in step.env["URL"]:
            self.before = "never again"
            self.act(self)
        return super().run(host, step)


def test_somebody_who_cordons_before_the_intent_keeps_it() -> None:
    world = Interrupted("/v1/var/", lambda world: foreign(world, "ineligible"))
    cordon(world, "w1")
    assert node_of(world, "w1").cordoned == "other"
    uncordon(world, "w1")
    assert not world.open("w1")


def test_a_controller_that_died_after_the_intent_owns_nothing_yet() -> None:
    world = NomadWorld()
    steps = 3  # nodes, node, variable; then the intent
    hold(world, ["n1"], lambda: world.scheduler.cordon("w1", UPGRADE), steps=steps + 1)
    assert world.nomad.variables
    assert world.open("w1")
    assert node_of(world, "w1").cordoned == ""
    cordon(world, "w1")
    assert node_of(world, "w1").cordoned == "upgrade"
    uncordon(world, "w1")
    assert world.open("w1")


def foreign_cordon(world: NomadWorld) -> None:
    foreign(world, "eligible")
    foreign(world, "ineligible")


@pytest.mark.parametrize("again", [foreign_cordon, foreign_drain])
def test_somebody_who_takes_over_keeps_it(again: Callable[[NomadWorld], None]) -> None:
    world = NomadWorld()
    cordon(world, "w1")
    assert node_of(world, "w1").cordoned == "upgrade"
    again(world)
    world.tick()
    assert node_of(world, "w1").cordoned == "other"
    uncordon(world, "w1")
    assert not world.open("w1")
    uncordon(world, "w1", OPERATOR)
    assert world.open("w1")


def test_a_cordon_is_ours_when_nomad_has_long_forgotten_how_it_came() -> None:
    world = NomadWorld()
    cordon(world, "w1")
    node = world.nomad.named("w1")
    for _ in range(12):
        world.nomad.index += 1
        world.nomad.event(node, "Driver", "Driver is healthy")
    assert node_of(world, "w1").cordoned == "upgrade"
    uncordon(world, "w1")
    assert world.open("w1")


def test_a_drain_that_somebody_cancels_is_told() -> None:
    world = NomadWorld()
    world.start("w1", stubborn=True)
    cordon(world, "w1")
    node = world.nomad.named("w1")
    plain = world.tick

    def tick() -> None:
        plain()
        if node.strategy is None and node.last:
            node.last = {**node.last, "Status": "canceled"}

    world.tick = tick  # type: ignore[method-assign]
    ended = hold(world, ["n1"], lambda: world.scheduler.drain("w1", UPGRADE))
    assert "was cancelled" in str(ended.error)


def test_a_drain_without_a_cordon_is_refused() -> None:
    world = NomadWorld()
    world.start("w1")
    ended = hold(world, ["n1"], lambda: world.scheduler.drain("w1", UPGRADE))
    assert "takes new work again" in str(ended.error)
    assert world.running("w1") == 1


def test_a_foreign_drain_is_waited_for_and_then_done_again() -> None:
    """Somebody drains without system jobs; ours has to take them away as well."""
    world = NomadWorld()
    world.nomad.run("w1", "logs", kind="system")
    id = world.nomad.named("w1").id
    body = b'{"DrainSpec": {"Deadline": 0, "IgnoreSystemJobs": true}, "Meta": {"who": "me"}}'
    world.nomad.handle("n1", "PUT", f"/v1/node/{id}/drain", body)
    cordon(world, "w1")
    drain(world, "w1")
    assert world.running("w1") == 0
    uncordon(world, "w1")
    assert not world.open("w1")


def test_system_jobs_stay_when_they_are_to() -> None:
    world = NomadWorld(drain_system_jobs=False)
    world.nomad.run("w1", "logs", kind="system")
    world.start("w1")
    cordon(world, "w1")
    drain(world, "w1")
    assert [each.job for each in world.nomad.allocs if each.node.name == "w1" and each.status == "running"] == ["logs"]
    assert must(world, ["n1"], lambda: world.scheduler.drained("w1")) == ()


def test_a_node_that_the_inventory_has_not_is_drained_by_its_id() -> None:
    """An older twin of a host that was made anew has no name of its own."""
    world = NomadWorld()
    twin = Node("5" * 36, "w1", index=0)
    world.nomad.nodes[twin.id] = twin
    world.nomad.named("w1").index = 9
    nodes = must(world, ["n1"], world.scheduler.nodes)
    assert sorted(node.name for node in nodes) == [twin.id, "n1", "n2", "n3", "w1", "w2"]
    assert [node.host for node in nodes if node.name == twin.id] == [""]
    cordon(world, twin.id)
    drain(world, twin.id)
    assert not twin.eligible
    assert world.open("w1")
    twin.status = "down"
    must(world, ["n1"], lambda: world.scheduler.remove(twin.id))
    assert sorted(node.name for node in must(world, ["n1"], world.scheduler.nodes)) == ["n1", "n2", "n3", "w1", "w2"]


def test_two_controllers_at_once_are_told_apart() -> None:
    """Between what one reads and what it writes, another one writes."""
    world = Interrupted("/v1/var/", lambda world: world.nomad.variables.update(note(world)))
    ended = hold(world, ["n1"], lambda: world.scheduler.cordon("w1", UPGRADE))
    assert isinstance(ended.error, Fenced)
    assert world.open("w1")


def note(world: NomadWorld) -> dict[str, dict[str, object]]:
    id = world.nomad.named("w1").id
    items = {"by": "upgrade", "token": "9", "held": "0"}
    return {f"coreops/nodes/{id}": {"Path": "", "ModifyIndex": 99, "CreateIndex": 99, "Items": items}}
