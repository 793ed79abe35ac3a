"""What ``units`` decides: the agents, strays, errors, and what is written in how many transactions."""

from __future__ import annotations

from typing import Any

import pytest

from coreops.errors import HostFailed, InputError, RefusedError
from coreops.model import Record, ShellStep
from coreops.schedulers import registry
from coreops.schedulers.protocol import Cluster, Elsewhere, Host, Move, Settled
from coreops.schedulers.units import VARIABLES, make
from coreops.schedulers.units.adapter import Agent
from coreops.units.backends.own import Own
from coreops.units.backends.protocol import settled
from tests.schedulers.units.fake import FILE, ROOT, UnitsWorld
from tests.schedulers.worlds import OPERATOR, hold, must

HOSTS = ("n1",)
WEB = f"{FILE}[X-Fleet]\nConflicts=web@*.service\n"


def submit(world: Any, files: dict[str, str]) -> None:
    must(world, HOSTS, lambda: world.scheduler.submit(files, start=True))
    must(world, HOSTS, lambda: settled(Own(world.scheduler), list(files)))


def test_the_agents_are_started_then_waited_for() -> None:
    scheduler = UnitsWorld().scheduler
    seen = {name: Agent(host=name, running=True, cluster="units", known=("n1", "n9")) for name in ("n1", "n2")}
    assert scheduler.decide(seen) == Settled(strays=("n9",))
    seen["n2"] = Agent(host="n2", running=True)
    waits = scheduler.decide(seen)
    assert isinstance(waits, Move)
    assert (waits.play, waits.talks) == ((), {})
    seen["n1"] = Agent(host="n1")
    starts = scheduler.decide(seen)
    assert isinstance(starts, Move)
    assert (starts.play, starts.on) == (("start",), ("n1",))


def test_a_node_that_the_inventory_lost_is_a_stray() -> None:
    world: Any = UnitsWorld()
    world.store.put(f"{ROOT}machine/old", "x")
    seen = must(world, HOSTS, lambda: world.scheduler.look("n1"))
    assert world.scheduler.decide({"n1": seen}) == Settled(strays=("old",))
    must(world, HOSTS, lambda: world.scheduler.remove("old"))
    assert world.scheduler.decide({"n1": must(world, HOSTS, lambda: world.scheduler.look("n1"))}) == Settled()


def test_settings() -> None:
    assert registry.adapter("units").prefixes == ("units_",)
    assert VARIABLES["units_beat"](5) == 5
    for bad in (0, 16, "2", True, None):
        with pytest.raises(ValueError, match="seconds from 1 to 15"):
            VARIABLES["units_beat"](bad)
    host = Host(name="n1", address="a", role="worker", settings={"units_beat": 5})
    with pytest.raises(InputError, match="needs a store"):
        make(Cluster(scheduler="units", hosts=(host,)))
    odd = Host(name="a b", address="a", role="worker")
    with pytest.raises(InputError, match="cannot have units"):
        make(Cluster(scheduler="units", hosts=(odd,), store=("https://a:1",)))
    scheduler = make(Cluster(scheduler="units", hosts=(host,), store=("https://a:1", "https://b:1")))
    assert scheduler.variables({}, "/pki")["units_nodes"]["n1"] == {
        "endpoints": "https://a:1\nhttps://b:1\n",
        "env": "# Managed by coreops\nHOST=n1\nBEAT=5\n",
    }
    assert [leaf.file for leaf in scheduler.certificates()] == ["units/n1"]


def test_labels_zone_and_host_are_metadata() -> None:
    world: Any = UnitsWorld({"n3": {"disk": "ssd", "zone": "b"}})
    submit(world, {"a.service": f'{FILE}[X-Fleet]\nMachineMetadata="disk=ssd" "zone=b"\n'})
    submit(world, {"b.service": f"{FILE}[X-Fleet]\nMachineMetadata=host=n2\n"})
    state = must(world, HOSTS, world.scheduler.gateway.state)
    assert state.on == {"a.service": ("n3",), "b.service": ("n2",)}


def test_a_unit_that_fits_nowhere_changes_nothing() -> None:
    world: Any = UnitsWorld()
    before = dict(world.store.cells)
    files = {f"web@{i}.service": WEB for i in (1, 2, 3, 4)}
    ended = hold(world, HOSTS, lambda: world.scheduler.submit(files, start=True))
    assert isinstance(ended.error, RefusedError)
    assert "web@4.service: none of 3 machines may run it: Conflicts on 3 (closest: n1: " in str(ended.error)
    assert world.store.cells == before
    # also when it only drives out another one
    pinned = f"{FILE}[X-Fleet]\nMachineMetadata=host=n1\n"
    submit(world, {"old.service": pinned})
    files = {"new.service": f"{pinned}Replaces=old.service\n"}
    ended = hold(world, HOSTS, lambda: world.scheduler.submit(files, start=True))
    assert isinstance(ended.error, RefusedError)
    assert "old.service cannot be placed" in str(ended.error)


def test_many_units_take_many_transactions() -> None:
    world: Any = UnitsWorld()
    files = {f"a{i}.service": FILE for i in range(300)} | {"large.service": FILE + "# " + "x" * 120_000 + "\n"}
    submit(world, files)
    state = must(world, HOSTS, world.scheduler.gateway.state)
    assert len(state.units) == 301  # read in pages
    assert {len([u for u, on in state.on.items() if on == (n,)]) for n in ("n1", "n2", "n3")} <= {100, 101}
    must(world, HOSTS, lambda: world.scheduler.destroy(list(files)))
    assert not world.store.below(f"{ROOT}unit/")
    assert not world.store.below(f"{ROOT}held/")


def test_another_controller_that_was_faster_is_not_overwritten() -> None:
    world: Any = UnitsWorld()
    talk = world.scheduler.submit({"a.service": FILE}, start=True)
    step = next(talk)
    assert isinstance(step, ShellStep)
    read = world.run("n1", step)
    submit(world, {"b.service": FILE})  # in between
    said: Any = talk.send(read)
    while True:
        try:
            said = talk.send(world.run("n1", said) if isinstance(said, ShellStep) else None)
        except StopIteration:
            break
    state = must(world, HOSTS, world.scheduler.gateway.state)
    assert set(state.units) == {"a.service", "b.service"}
    assert state.on["a.service"] != state.on["b.service"]


def test_names_that_were_not_submitted() -> None:
    world: Any = UnitsWorld()
    submit(world, {"web@1.service": FILE})
    ended = hold(world, HOSTS, lambda: world.scheduler.desire(["wab@1.service"], "loaded"))
    assert isinstance(ended.error, InputError)
    assert "did you mean 'web@1.service'?" in str(ended.error)
    must(world, HOSTS, lambda: world.scheduler.destroy(["never.service"]))


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (Record("store", "failed", 75, stderr=b"no member of the store answers"), Elsewhere),
        (Record("store", "failed", 75, stderr=b'{"error":"etcdserver: no leader"}'), Elsewhere),
        (Record("store", "failed", 75, stderr=b'{"error":"etcdserver: mvcc: database space exceeded"}'), HostFailed),
        (Record("store", "ok", stdout=b"<html>"), HostFailed),
        (Record("store", "ok", stdout=b"[]"), HostFailed),
    ],
)
def test_a_store_that_does_not_answer(record: Record, kind: type[Exception]) -> None:
    talk = UnitsWorld().scheduler.gateway.state()
    next(talk)
    with pytest.raises(kind) as caught:
        talk.send(record)
    assert type(caught.value) is kind


def test_what_others_wrote_is_passed_over() -> None:
    world: Any = UnitsWorld()
    for key in ("unit/x.service", "unit/y.service", "said/n1", "closed/n2", "odd", "unit/"):
        world.store.put(ROOT + key, '{"v": 2}' if key.startswith("unit/x") else "nonsense \n unit a b")
    nodes = must(world, HOSTS, world.scheduler.nodes)
    assert [node.cordoned for node in nodes] == ["", "other", ""]
    must(world, HOSTS, lambda: world.scheduler.uncordon("n2", OPERATOR))
    assert must(world, HOSTS, world.scheduler.gateway.state).units == {}


def test_answers_that_are_cut_off_are_asked_for_in_smaller_parts() -> None:
    world: Any = UnitsWorld()
    whole = world.run
    files = {f"a{i}.service": f"{FILE}# {'x' * 30_000}\n" for i in range(20)}
    submit(world, files)

    def run(host: str, step: ShellStep) -> Record:
        record: Record = whole(host, step)
        over = len(record.stdout) - 400_000
        return Record(step.id, "ok", stdout=record.stdout[:400_000], truncated=over) if over > 0 else record

    world.run = run
    assert len(must(world, HOSTS, world.scheduler.gateway.state).units) == 20
