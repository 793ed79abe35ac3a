"""What a drain does with units that are not all alike, and that it does it through real sh and curl."""

from __future__ import annotations

import pytest

from coreops.errors import HostFailed, RefusedError
from coreops.schedulers.protocol import Mark, Settled
from tests.schedulers.fleet.conftest import Node
from tests.schedulers.fleet.model import Job, Machine
from tests.schedulers.fleet.world import FakeWorld, option
from tests.schedulers.worlds import OPERATOR, UPGRADE, cordon, drain, hold, must, node_of, uncordon


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


@pytest.fixture
def lenient() -> FakeWorld:
    return FakeWorld(settings={"fleet_stuck": "stop"})


def where(world: FakeWorld, unit: str) -> str:
    return next((host for host, id in world.ids.items() if id == world.fleet.jobs[unit].target), "")


def state(world: FakeWorld, unit: str) -> tuple[str, str]:
    job = world.fleet.jobs[unit]
    machine = world.fleet.machines.get(job.target)
    return job.target_state, machine.systemd.get(unit, "") if machine else ""


def settle(world: FakeWorld) -> None:
    for _ in range(5):
        world.tick()


def test_a_unit_for_this_machine_only_is_refused_before_anything_moves(world: FakeWorld) -> None:
    world.submit("any.service", on="w1")
    world.submit("own.service", ("MachineID", world.ids["w1"][:8]), on="w1")
    cordon(world, "w1")
    before = (where(world, "any.service"), state(world, "any.service"))
    ended = hold(world, world.scheduler.where("w1"), lambda: world.scheduler.drain("w1", UPGRADE))
    assert isinstance(ended.error, RefusedError)
    assert ended.error.where == "w1"
    assert "own.service" in str(ended.error.why)
    assert "any.service" not in str(ended.error.why)
    assert (where(world, "any.service"), state(world, "any.service")) == before


def test_a_unit_for_this_machine_only_stops_and_comes_back_where_that_is_allowed(lenient: FakeWorld) -> None:
    lenient.submit("any.service", on="w1")
    lenient.submit("own.service", ("MachineID", lenient.ids["w1"]), on="w1")
    lenient.submit("lazy.service", ("MachineID", lenient.ids["w1"]), on="w1", desired="loaded")
    cordon(lenient, "w1")
    drain(lenient, "w1")
    assert where(lenient, "any.service") not in ("", "w1")
    assert state(lenient, "own.service") == ("loaded", "inactive")
    uncordon(lenient, "w1")
    settle(lenient)
    assert (where(lenient, "own.service"), *state(lenient, "own.service")) == ("w1", "launched", "active")
    assert state(lenient, "lazy.service") == ("loaded", "inactive")


def test_conflicts_and_metadata_are_told_machine_by_machine(world: FakeWorld) -> None:
    for host in ("m1", "m2", "m3", "w2"):
        world.submit(f"db@{host}.service", ("Conflicts", "db@*"), on=host)
    world.submit("db@w1.service", ("Conflicts", "db@*"), on="w1")
    world.fleet.machines[world.ids["w1"]].metadata["disk"] = "ssd"
    world.submit("fast.service", ("MachineMetadata", "disk=ssd"), on="w1")
    cordon(world, "w1")
    ended = hold(world, world.scheduler.where("w1"), lambda: world.scheduler.drain("w1", UPGRADE))
    why = str(ended.error.why) if ended.error else ""
    assert "db@w1.service (" in why
    assert "m1: conflict with db@m1.service" in why
    assert "fast.service (" in why
    assert "w2: it has no disk, ssd is asked for" in why


def test_units_of_one_machine_move_together(world: FakeWorld) -> None:
    world.submit("b-side.service", ("MachineOf", "main.service"), on="w1")
    world.submit("a-side.service", ("MachineOf", "b-side.service"), on="w1")
    world.submit("main.service", on="w1")
    cordon(world, "w1")
    drain(world, "w1")
    settle(world)
    assert len({where(world, f"{name}.service") for name in ("main", "a-side", "b-side")}) == 1
    assert where(world, "main.service") not in ("", "w1")


def test_nothing_goes_to_a_machine_of_the_same_wave(world: FakeWorld) -> None:
    for number in range(4):
        world.submit(f"u{number}.service", on="w1")
    for host in ("w1", "w2", "m1", "m2"):
        cordon(world, host)
    drain(world, "w1")
    assert {where(world, f"u{number}.service") for number in range(4)} == {"m3"}


def test_a_unit_that_finds_no_place_after_all_is_named(world: FakeWorld) -> None:
    """Room was there when the drain began, and somebody took it meanwhile."""
    world.submit("db@1.service", ("Conflicts", "db@*"), on="w1")
    cordon(world, "w1")
    sent: list[str] = []

    def meanwhile() -> None:
        if not sent and world.fleet.jobs["db@1.service"].target_state == "inactive":
            sent.append("now")
            for host in ("m1", "m2", "m3", "w2"):
                world.submit(f"db@{host}.service", ("Conflicts", "db@*"), on=host)

    ended = hold(
        world, world.scheduler.where("w1"), lambda: world.scheduler.drain("w1", UPGRADE), pauses=8, after=meanwhile
    )
    assert not ended.over
    (left,) = ended.pauses[-1]
    assert left.startswith("db@1.service has no machine (")
    assert "w2: conflict with db@w2.service" in left
    uncordon(world, "w1")
    settle(world)
    assert where(world, "db@1.service") == "w1"
    assert state(world, "db@1.service") == ("launched", "active")


@pytest.mark.parametrize("old", [False, True])
def test_global_units_are_the_machines_own(old: bool) -> None:
    world = FakeWorld(old=old)
    world.submit("log.service", ("Global", "true"))
    world.submit("some.service", ("Global", "yes"), ("MachineMetadata", "disk=ssd"))
    settle(world)
    world.start("w1")
    cordon(world, "w1")
    drain(world, "w1")
    assert node_of(world, "w1").running == 0
    assert must(world, ("m1",), lambda: world.scheduler.drained("w1")) == ()
    assert world.fleet.machines[world.ids["w1"]].systemd["log.service"] == "active"
    told = must(world, ("m1",), world.scheduler.workloads)
    assert {each.host for each in told if each.task == "log.service"} == set(world.ids)


@pytest.mark.parametrize("old", [False, True])
def test_a_cordon_outlives_a_reboot(old: bool) -> None:
    world = FakeWorld(old=old)
    world.submit("log.service", ("Global", "true"))
    settle(world)
    word = world.start("w1")
    cordon(world, "w1")
    drain(world, "w1")
    world.kill("w1")
    assert node_of(world, "w1").state == "down"
    assert node_of(world, "w1").cordoned == "upgrade"
    world.boot("w1")
    settle(world)
    assert not world.open("w1")
    world.submit("new.service")
    settle(world)
    assert where(world, "new.service") not in ("", "w1")
    uncordon(world, "w1")
    assert world.open("w1")
    assert where(world, f"{word}.service") not in ("", "w1")


def test_uncordon_waits_until_the_machine_is_back(world: FakeWorld) -> None:
    cordon(world, "w1")
    drain(world, "w1")
    world.kill("w1")
    ended = hold(world, world.scheduler.where("w1"), lambda: world.scheduler.uncordon("w1", UPGRADE), pauses=3)
    assert not ended.over
    assert ended.pauses[-1] == ("w1 to be in the cluster (is its fleet.service running?)",)


def test_a_drain_needs_a_cordon(world: FakeWorld) -> None:
    ended = hold(world, world.scheduler.where("w1"), lambda: world.scheduler.drain("w1", OPERATOR))
    assert isinstance(ended.error, HostFailed)
    assert ended.error.where == "w1"


def test_what_somebody_stops_or_destroys_in_a_drain_stays_so(world: FakeWorld) -> None:
    world.submit("gone.service", on="w1")
    world.submit("kept.service", on="w1")
    cordon(world, "w1")

    def meanwhile() -> None:
        job = world.fleet.jobs.get("gone.service")
        if job is not None and job.target_state == "inactive":
            del world.fleet.jobs["gone.service"]

    drain(world, "w1", after=meanwhile)
    assert "gone.service" not in world.fleet.jobs
    assert where(world, "kept.service") not in ("", "w1")


def test_only_one_note_a_host_is_left_and_it_runs_nothing(world: FakeWorld) -> None:
    world.start("w1")
    for _ in range(2):
        cordon(world, "w1")
        drain(world, "w1")
        uncordon(world, "w1")
    notes = [name for name in world.fleet.jobs if name.startswith("00-coreops-")]
    assert len(notes) == 1
    assert state(world, notes[0])[0] == "inactive"
    assert all("active" not in machine.systemd.get(notes[0], "") for machine in world.fleet.machines.values())


def test_a_stray_that_is_gone_leaves_nothing_behind(world: FakeWorld) -> None:
    world.fleet.machines["f" * 32] = Machine("f" * 32, metadata={"coreops-host": "old"})
    assert [node.name for node in must(world, ("m1",), world.scheduler.nodes) if not node.host] == ["old"]
    seen = {host: must(world, (host,), lambda host=host: world.scheduler.look(host)) for host in world.ids}
    assert world.scheduler.decide(seen) == Settled(strays=("old",))
    must(world, ("m1",), lambda: world.scheduler.cordon("old", OPERATOR))
    ended = hold(world, ("m1",), lambda: world.scheduler.remove("f" * 32))
    assert isinstance(ended.error, RefusedError)
    del world.fleet.machines["f" * 32]
    must(world, ("m1",), lambda: world.scheduler.remove("old"))
    assert not world.fleet.jobs


def test_a_stray_that_coreops_never_saw_is_drained_by_its_id(world: FakeWorld) -> None:
    id = "f" * 32
    world.fleet.machines[id] = machine = Machine(id)
    world.submit("any.service")
    job = world.fleet.jobs["any.service"]
    job.target, machine.cache["any.service"], machine.systemd["any.service"] = id, "launched", "active"
    machine.hashes["any.service"] = job.options
    must(world, ("m1",), lambda: world.scheduler.cordon(id, OPERATOR))
    must(world, ("m1",), lambda: world.scheduler.drain(id, OPERATOR))
    settle(world)
    assert where(world, "any.service")
    (stray,) = [node for node in must(world, ("m1",), world.scheduler.nodes) if not node.host]
    assert (stray.name, stray.cordoned, stray.drained) == (id, "operator", True)


def test_a_removed_host_gives_back_what_it_held(lenient: FakeWorld) -> None:
    lenient.fleet.machines[lenient.ids["w1"]].metadata["disk"] = "ssd"
    lenient.submit("fast.service", ("MachineMetadata", "disk=ssd"), on="w1")
    cordon(lenient, "w1")
    drain(lenient, "w1")
    assert state(lenient, "fast.service")[0] == "loaded"
    lenient.kill("w1")
    must(lenient, ("m1",), lambda: lenient.scheduler.remove("w1"))
    lenient.fleet.machines[lenient.ids["w2"]].metadata["disk"] = "ssd"
    settle(lenient)
    assert where(lenient, "fast.service") == "w2"
    assert state(lenient, "fast.service") == ("launched", "active")


def test_a_drain_through_sh_and_curl(node: Node) -> None:
    world = FakeWorld()
    for host, id in world.ids.items():
        node.fleet.machines[id] = Machine(id, metadata={"coreops-host": host})
    name = "we\\x2db@1.service"
    node.fleet.jobs[name] = Job(name, [option("Service", "ExecStart", "/bin/sleep 1")], "launched", world.ids["w1"])
    scheduler = type(world.scheduler)(world.scheduler.cluster, node.api)
    mark = Mark(by="upgrade", token=3)
    node.hold(lambda: scheduler.cordon("w1", mark))
    node.hold(lambda: scheduler.drain("w1", mark))
    assert node.fleet.jobs[name].target not in ("", world.ids["w1"])
    assert node.hold(lambda: scheduler.drained("w1")) == ()
    assert {each.host: each.cordoned for each in node.hold(scheduler.nodes)}["w1"] == "upgrade"
    node.hold(lambda: scheduler.uncordon("w1", mark))
    assert not any(each.cordoned for each in node.hold(scheduler.nodes))
