"""``coreops units`` on Nomad, against the fake of its API (``tests.schedulers.nomad``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from coreops.errors import InputError, RefusedError
from coreops.units.backends.nomad import Nomad
from coreops.units.backends.protocol import settled
from coreops.units.convert.convert import convert
from coreops.units.loading import Loaded
from coreops.units.rows import Row
from tests.schedulers.nomad.world import NomadWorld
from tests.schedulers.worlds import Ended, hold, must
from tests.units.texts import WEB, run, unit

HOSTS = ("n1", "n2")
NAMES = ("web@1.service", "web@2.service", "web@3.service")


@pytest.fixture
def world() -> NomadWorld:
    return NomadWorld()


def backend(world: NomadWorld, units: Sequence[Loaded] = ()) -> Nomad:
    scheduler: Any = world.scheduler
    return Nomad(scheduler, convert(units, "nomad", apart=True).documents)


def three(text: str = WEB) -> list[Loaded]:
    return [unit(text, name) for name in NAMES]


def start(world: NomadWorld, units: Sequence[Loaded]) -> None:
    must(world, HOSTS, lambda: backend(world, units).start(units, ()))


def rows(world: NomadWorld, names: Sequence[str] = NAMES) -> tuple[Row, ...]:
    return must(world, HOSTS, lambda: settled(backend(world), names))


def ended(world: NomadWorld, talk: Any) -> Ended:
    return hold(world, HOSTS, talk, pauses=8)


def group(world: NomadWorld, name: str, job: str = "web") -> dict[str, Any]:
    (found,) = [each for each in world.nomad.jobs[job]["TaskGroups"] if each["Name"] == name]
    return dict(found)


def test_units_come_stop_start_and_go(world: NomadWorld) -> None:
    must(world, HOSTS, lambda: backend(world, three()).submit(three()))
    assert [(row.name, row.desired, row.state, row.host) for row in rows(world)] == [
        (name, "inactive", "inactive", "") for name in NAMES
    ]
    world.nomad.races = 1
    must(world, HOSTS, lambda: backend(world).start((), NAMES))
    found = rows(world)
    assert {(row.state, row.service, row.done) for row in found} == {("running", "web@.service", True)}
    assert len({row.host for row in found}) == 3  # they keep away from each other
    version = world.nomad.jobs["web"]["Version"]
    start(world, three())
    assert world.nomad.jobs["web"]["Version"] == version  # nothing to change
    must(world, HOSTS, lambda: backend(world).stop(NAMES[:1]))
    assert [row.desired for row in rows(world)] == ["inactive", "launched", "launched"]
    must(world, HOSTS, lambda: backend(world).destroy(NAMES[1:]))
    assert [row.name for row in rows(world)] == [NAMES[0]]
    must(world, HOSTS, lambda: backend(world).destroy(NAMES))
    assert world.nomad.jobs == {}
    must(world, HOSTS, lambda: backend(world).destroy(NAMES))


def test_a_change_touches_only_the_units_that_changed(world: NomadWorld) -> None:
    start(world, three())
    rows(world)
    before = {each.group: each.id for each in world.nomad.allocs}
    changed = [unit(WEB.replace("64m", "128m"), NAMES[0]), unit(WEB, "web@4.service")]
    start(world, changed)
    rows(world, [*NAMES, "web@4.service"])
    assert group(world, NAMES[0])["Tasks"][0]["Resources"] == {"MemoryMB": 128}
    now = {each.group: each.id for each in world.nomad.allocs if each.desired == "run"}
    assert now[NAMES[0]] != before[NAMES[0]]
    assert {name: now[name] for name in NAMES[1:]} == {name: before[name] for name in NAMES[1:]}


def test_what_has_no_place_is_refused_and_nothing_is_written(world: NomadWorld) -> None:
    world.nomad.named("w1").meta["disk"] = "ssd"
    picky = [run("x", "[X-Fleet]\nMachineMetadata=disk=nvme\n", "b.service")]
    good = [run("x", "", "a.service")]
    both = [*good, *picky]
    for talk in (
        lambda: backend(world, both).submit(both),
        lambda: backend(world, both).start(both, ()),
    ):
        found = ended(world, talk)
        assert isinstance(found.error, RefusedError)
        assert "b.service can be placed nowhere" in str(found.error)
        assert "5 nodes were looked at; ${meta.disk} = nvme keeps out 5" in str(found.error)
        assert world.nomad.jobs == {}
    start(world, good)


def test_why_a_unit_is_nowhere_by_now(world: NomadWorld) -> None:
    world.nomad.named("w1").meta["disk"] = "ssd"
    picky = [run("x", "[X-Fleet]\nMachineMetadata=disk=ssd\n", "b.service")]
    start(world, picky)
    rows(world, ["b.service"])
    world.kill("w1")
    world.nomad.evaluate("b")
    status = must(world, HOSTS, backend(world).status)
    assert [(row.state, row.done) for row in status.rows] == [("lost", True)] or status.unplaced
    world.nomad.allocs.clear()
    status = must(world, HOSTS, backend(world).status)
    assert status.rows[0].state == "placed nowhere"
    assert "${meta.disk} = ssd keeps out 4" in status.unplaced["b.service"]


def test_somebody_elses_job_is_left_alone(world: NomadWorld) -> None:
    world.nomad.register({"Job": {**three_groups(), "Meta": None}})
    found = ended(world, lambda: backend(world, three()).start(three(), ()))
    assert isinstance(found.error, RefusedError)
    assert "somebody else's" in str(found.error)
    assert must(world, HOSTS, backend(world).status).rows == ()
    found = ended(world, lambda: backend(world).stop(["web@1.service"]))
    assert isinstance(found.error, InputError)


def three_groups() -> dict[str, Any]:
    return {"ID": "web", "Name": "web", "Type": "service", "Datacenters": ["dc1"], "TaskGroups": [{"Name": "web"}]}


def test_a_plain_unit_and_a_template_of_one_name_are_not_mixed(world: NomadWorld) -> None:
    start(world, three())
    plain = [run("x", "", "web.service")]
    found = ended(world, lambda: backend(world, plain).start(plain, ()))
    assert "there is a job web that is the unit web@.service's" in str(found.error)


def test_a_job_that_somebody_stopped_comes_back_as_it_is_wanted(world: NomadWorld) -> None:
    start(world, three())
    rows(world)
    world.nomad.deregister("web", {})
    assert {row.desired for row in rows(world)} == {"inactive"}
    must(world, HOSTS, lambda: backend(world).start((), NAMES[:1]))
    assert [row.desired for row in rows(world)] == ["launched", "inactive", "inactive"]


def test_global_units(world: NomadWorld) -> None:
    units = [run("x", "[X-Fleet]\nGlobal=yes\n")]
    assert isinstance(ended(world, lambda: backend(world, units).submit(units)).error, RefusedError)
    start(world, units)
    assert sorted(row.host for row in rows(world, ["a.service"])) == ["n1", "n2", "n3", "w1", "w2"]
    found = ended(world, lambda: backend(world).stop(["a.service"]))
    assert isinstance(found.error, RefusedError)
    other = [run("x")]
    found = ended(world, lambda: backend(world, other).start(other, ()))
    assert "destroy it first" in str(found.error)
    must(world, HOSTS, lambda: backend(world).destroy(["a.service"]))
    assert world.nomad.jobs == {}


def test_a_task_that_fails_is_told_with_nomads_words(world: NomadWorld) -> None:
    units = [run("x")]
    start(world, units)
    rows(world, ["a.service"])
    (alloc,) = world.nomad.allocs
    event = {"Type": "Driver Failure", "DisplayMessage": "Failed to pull `x`: not found"}
    alloc.tasks = {"a": {"State": "pending", "Failed": False, "Restarts": 2, "Events": [event, {"Type": "Restarting"}]}}
    alloc.status = "pending"
    (row,) = must(world, HOSTS, backend(world).status).rows
    assert (row.state, row.done) == ("pending, after it failed: Failed to pull `x`: not found", False)
    alloc.tasks["a"]["Failed"] = True
    alloc.status = "failed"
    (row,) = rows(world, ["a.service"])
    assert (row.bad, row.done) == (True, True)


def test_an_older_nomad_that_shows_no_meta_in_lists(world: NomadWorld) -> None:
    world.nomad.old = True
    start(world, three())
    assert len(rows(world)) == 3


def test_a_name_that_is_not_known(world: NomadWorld) -> None:
    start(world, three())
    found = ended(world, lambda: backend(world).stop(["wab@1.service"]))
    assert isinstance(found.error, InputError)
    assert "did you mean 'web@1.service'?" in str(found.error)


def test_an_answer_that_is_lost_changes_nothing(world: NomadWorld) -> None:
    """Each write is sent twice: the second comes too late, is looked at again, and is done."""
    once = world.run

    def twice(host: str, step: Any) -> Any:
        if step.act:
            once(host, step)
        return once(host, step)

    world.run = twice  # type: ignore[method-assign]
    start(world, three())
    assert {row.state for row in rows(world)} == {"running"}
    must(world, HOSTS, lambda: backend(world).destroy(NAMES))
    assert world.nomad.jobs == {}


def test_a_job_larger_than_a_variable_of_the_environment(world: NomadWorld) -> None:
    many = [run(f"-e A={'x' * 3500} nginx:1", "", f"web@{i}.service") for i in range(40)]
    must(world, HOSTS, lambda: backend(world, many).submit(many))
    assert len(json.dumps(world.nomad.jobs["web"])) > 131072


def test_units_that_would_share_a_job_are_refused(world: NomadWorld) -> None:
    units = [run("x", name=name) for name in ("web.service", "web@1.service")]
    found = ended(world, lambda: backend(world, units).start(units, ()))
    assert isinstance(found.error, InputError)
    assert "web.service and web@1.service would both be the job web" in str(found.error)
    assert world.nomad.jobs == {}
