"""Whatever operators and machines do, in whatever order: no unit runs twice, what is placed runs, wishes are kept."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.schedulers.protocol import Mark
from tests.schedulers.units.fake import FILE, ROOT, UnitsWorld
from tests.schedulers.worlds import hold

HOSTS = ("n1", "n2", "n3")
UNITS = {
    "web@1.service": f"{FILE}[X-Fleet]\nConflicts=web@*.service\n",
    "web@2.service": f"{FILE}[X-Fleet]\nConflicts=web@*.service\n",
    "side.service": f"{FILE}[X-Fleet]\nMachineOf=web@1.service\n",
    "pinned.service": f"{FILE}[X-Fleet]\nMachineID=n2\n",
    "any.service": FILE,
    "all.service": f"{FILE}[X-Fleet]\nGlobal=true\n",
}
EVENT = st.one_of(
    st.tuples(st.sampled_from(("start", "destroy", "submit", "loaded")), st.sampled_from(sorted(UNITS))),
    st.tuples(st.sampled_from(("cordon", "drain", "uncordon", "die", "boot", "remove")), st.sampled_from(HOSTS)),
    st.tuples(st.just("tick"), st.just("")),
)


def act(world: Any, what: str, which: str, steps: int) -> None:
    """One thing that somebody does, perhaps cut off after some steps; what is refused is refused."""
    scheduler, mark = world.scheduler, Mark(by="operator")
    node = world.nodes.get(which)
    if what == "die":
        world.kill(which)
        node.mine.clear()  # it was below /run
        return
    if what == "boot":
        node.alive = True
        return
    if what == "tick":
        world.tick()
        return
    talks = {
        "start": lambda: scheduler.submit({which: UNITS[which]}, start=True),
        "submit": lambda: scheduler.submit({which: UNITS[which] + "# new\n"}, start=False),
        "destroy": lambda: scheduler.destroy([which]),
        "loaded": lambda: scheduler.desire([which], "loaded"),
        "cordon": lambda: scheduler.cordon(which, mark),
        "drain": lambda: scheduler.drain(which, mark),
        "uncordon": lambda: scheduler.uncordon(which, mark),
        "remove": lambda: scheduler.remove(which),
    }
    alive = [name for name in HOSTS if world.nodes[name].alive]
    if alive:
        hold(world, alive[:1], talks[what], steps=steps, pauses=3)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(EVENT, st.integers(1, 6)), max_size=25))
def test_no_unit_runs_twice(events: list[tuple[tuple[str, str], int]]) -> None:
    world: Any = UnitsWorld()
    for (what, which), steps in events:
        act(world, what, which, steps)
        check(world)
    for name in HOSTS:
        world.nodes[name].alive = True
    for _ in range(6):
        world.tick()
        check(world)
    for name in HOSTS:  # all is as the store says
        assert set(world.nodes[name].running) == set(world.store.below(f"{ROOT}on/{name}/"))


def check(world: Any) -> None:
    running = [name for node in world.nodes.values() for name in node.running if name != "all.service"]
    assert len(running) == len(set(running)), running
    placed = {host: set(world.store.below(f"{ROOT}on/{host}/")) for host in HOSTS}
    for names in placed.values():
        assert not ({"web@1.service", "web@2.service"} <= names)
        assert "side.service" not in names or "web@1.service" in names
    assert all("pinned.service" not in names for host, names in placed.items() if host != "n2")
    every = [name for names in placed.values() for name in names if name != "all.service"]
    assert len(every) == len(set(every)), every
