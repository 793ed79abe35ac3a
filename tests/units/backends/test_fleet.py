"""``coreops units`` on fleet, against the fake fleetd of the fleet adapter's tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from coreops.errors import InputError, RefusedError
from coreops.units.backends.fleet import Fleet
from coreops.units.backends.protocol import settled
from coreops.units.loading import Loaded
from coreops.units.rows import Row
from tests.schedulers.fleet.world import FakeWorld
from tests.schedulers.worlds import OPERATOR, cordon, drain, hold, must
from tests.units.texts import unit

HOSTS = ("m1",)
WEB = "[Service]\nExecStart=/bin/sleep 'a b'\nExecStart=\nExecStart=/bin/sleep 1\n[X-Fleet]\nConflicts=%p@*.service\n"


def webs(*numbers: int) -> list[Loaded]:
    return [unit(WEB, f"web@{number}.service") for number in numbers]


def rows(world: Any, names: Sequence[str]) -> tuple[Row, ...]:
    return must(world, HOSTS, lambda: settled(Fleet(world.scheduler), names))


def test_units_as_they_are() -> None:
    world: Any = FakeWorld()
    backend = Fleet(world.scheduler)
    names = [f"web@{i}.service" for i in (1, 2, 3)]
    must(world, HOSTS, lambda: backend.submit(webs(1, 2, 3)))
    assert [(row.desired, row.state) for row in rows(world, names)] == [("inactive", "inactive")] * 3
    options = world.fleet.jobs["web@1.service"].options
    assert [each["value"] for each in options if each["name"] == "ExecStart"] == [
        "/bin/sleep 'a b'",
        "",
        "/bin/sleep 1",
    ]
    must(world, HOSTS, lambda: backend.start(webs(1), names[1:]))
    found = rows(world, names)
    assert len({row.host for row in found}) == 3
    assert all(row.state.startswith("active/") and row.service == "web@.service" for row in found)
    must(world, HOSTS, lambda: backend.stop(names[:1]))
    assert [row.desired for row in rows(world, names)] == ["loaded", "launched", "launched"]
    # what coreops remembers of a drain is no unit of anybody's
    cordon(world, "w1", OPERATOR)
    drain(world, "w1", OPERATOR)
    status = must(world, HOSTS, backend.status)
    assert {row.name for row in status.rows} == set(names)
    must(world, HOSTS, lambda: backend.destroy(names))
    assert must(world, HOSTS, backend.status).rows == ()
    must(world, HOSTS, lambda: backend.destroy(names))


def test_a_unit_that_is_not_there() -> None:
    world: Any = FakeWorld()
    must(world, HOSTS, lambda: Fleet(world.scheduler).submit(webs(1)))
    for verb in ("stop", "start"):
        talk = (lambda: Fleet(world.scheduler).stop(["web@2.service"])) if verb == "stop" else (
            lambda: Fleet(world.scheduler).start([], ["web@2.service"])
        )  # fmt: skip
        ended = hold(world, HOSTS, talk)
        assert isinstance(ended.error, InputError)
        assert "did you mean 'web@1.service'?" in str(ended.error)


def refused(world: Any, talk: Any) -> str:
    """What was said of a talk that must have written nothing."""
    before = dict(world.fleet.jobs)
    ended = hold(world, HOSTS, talk)
    assert isinstance(ended.error, RefusedError)
    assert ended.steps == 1
    assert world.fleet.jobs == before
    return str(ended.error)


def test_too_many_for_the_machines_are_refused_before_anything_is_written() -> None:
    world: Any = FakeWorld()
    backend = Fleet(world.scheduler)
    names = [f"web@{i}.service" for i in range(1, 7)]
    for talk in (backend.submit, lambda units: backend.start(units, ())):
        said = refused(world, lambda talk=talk: talk(webs(*range(1, 7))))
        assert "web@6.service cannot be placed" in said
        assert "none of 5 machines may run it: Conflicts on 5 (closest: w1: Conflicts with web@" in said
    must(world, HOSTS, lambda: backend.start(webs(*range(1, 6)), ()))
    rows(world, names[:5])
    assert "web@6.service: none of 5" in refused(world, lambda: backend.start(webs(6), ()))
    # what is wanted already is not asked again: a machine that is gone for a moment comes back
    world.kill("w1")
    must(world, HOSTS, lambda: backend.start(webs(*range(1, 6)), names[:5]))
    status = must(world, HOSTS, backend.status)
    assert len(status.unplaced) == 1


def test_who_was_closest_and_who_is_closed() -> None:
    world: Any = FakeWorld()
    backend = Fleet(world.scheduler)
    world.fleet.machines[world.ids["m2"]].metadata["disk"] = "ssd"
    picky = unit("[Service]\nExecStart=/bin/sleep 1\n[X-Fleet]\nMachineMetadata=disk=ssd\n")
    must(world, HOSTS, lambda: backend.submit([picky]))
    cordon(world, "m2", OPERATOR)
    world.kill("w2")
    said = refused(world, lambda: backend.start((), ["a.service"]))
    assert "none of 5 machines may run it: MachineMetadata on 4, closed on 2 (closest: " in said
    assert "m2: closed (cordoned, drained or not there)" in said
    assert "MachineMetadata disk=ssd wanted, it has none" in said
    pinned = unit("[Service]\nExecStart=/bin/sleep 1\n[X-Fleet]\nMachineID=m1\n", "b.service")
    assert "MachineID is not m1" in refused(world, lambda: backend.start([pinned], ()))  # a host's name is no id here


def test_a_sidekick_is_submitted_after_its_unit_and_started_with_it() -> None:
    world: Any = FakeWorld()
    backend = Fleet(world.scheduler)
    world.submit("odd.service", ("Conflicts", "[broken"), on="m3")  # names nobody
    side = unit("[Service]\nExecStart=/bin/sleep 1\n[X-Fleet]\nMachineOf=web@1.service\n", "side.service")
    assert "MachineOf=web@1.service, and no unit of this name is to run" in refused(
        world, lambda: backend.submit([side])
    )
    must(world, HOSTS, lambda: backend.submit(webs(1)))
    must(world, HOSTS, lambda: backend.submit([side]))
    assert "MachineOf=web@1.service" in refused(world, lambda: backend.start((), ["side.service"]))
    must(world, HOSTS, lambda: backend.start([side], ["web@1.service"]))
    assert len({row.host for row in rows(world, ["web@1.service", "side.service"])}) == 1


@pytest.mark.parametrize("everywhere", [True, False])
def test_global_units_have_a_row_for_each_machine(everywhere: bool) -> None:
    world: Any = FakeWorld()
    text = f"[Service]\nExecStart=/bin/sleep 1\n[X-Fleet]\nGlobal={str(everywhere).lower()}\n"
    must(world, HOSTS, lambda: Fleet(world.scheduler).start([unit(text)], ()))
    world.tick()
    world.tick()
    assert len(rows(world, ["a.service"])) == (5 if everywhere else 1)
