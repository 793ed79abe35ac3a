"""The shipped program on real files, with a real etcd: at no time does a unit run on two nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from coreops.errors import RefusedError
from coreops.schedulers.protocol import Mark
from coreops.schedulers.units.layout import Desired
from coreops.units.backends.own import Own
from coreops.units.backends.protocol import settled
from tests.schedulers.units.conftest import Real
from tests.schedulers.worlds import World, hold, listed, must

pytestmark = pytest.mark.slow
OPERATOR = Mark(by="operator")
PLAIN = "[Service]\nExecStart=/bin/sleep infinity\n"
SPREAD = f"{PLAIN}[X-Fleet]\nConflicts=web@*.service\n"
HOSTILE = '[Service]\nEnvironment="A=$(touch x)`y` \\\\ \'ü*"\nExecStart=/bin/echo %i $A\n'


def say(world: Real, talk: Callable[[], Any]) -> Any:
    return must(cast(World, world), world.scheduler.where("n1"), talk)


def ready(world: Real) -> None:
    until(
        world, lambda: {node.host for node in listed(cast(World, world)) if node.state == "ready"} == set(world.nodes)
    )


def until(world: Real, what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if what():
            return
        world.tick()
    raise AssertionError({name: (node.folder / "log").read_text() for name, node in world.nodes.items()})


def submit(world: Real, *names: str, file: str = PLAIN, desired: Desired = "launched") -> None:
    say(world, lambda: world.scheduler.submit(dict.fromkeys(names, file), start=desired == "launched"))
    if desired == "loaded":
        say(world, lambda: world.scheduler.desire(names, desired))
    say(world, lambda: settled(Own(world.scheduler), names))


def where(world: Real, names: Sequence[str]) -> dict[str, set[str]]:
    return {name: {host for host, node in world.nodes.items() if name in node.active()} for name in names}


def test_units_come_move_stop_and_go(real: Real) -> None:
    ready(real)
    odd = "odd\\x2dname@1.service"
    web = ("web@1.service", "web@2.service")
    submit(real, *web, file=SPREAD)
    submit(real, odd, file=HOSTILE)
    submit(real, "agent.service", file=f"{PLAIN}[X-Fleet]\nGlobal=true\n")
    submit(real, "pinned.service", file=f"{PLAIN}[X-Fleet]\nMachineID={'n1':0<32}\n", desired="loaded")
    assert where(real, (*web, odd, "agent.service", "pinned.service")) == {
        "web@1.service": {"n1"},
        "web@2.service": {"n2"},
        odd: {"n3"},
        "agent.service": {"n1", "n2", "n3"},
        "pinned.service": set(),
    }
    written = (real.nodes["n3"].folder / "system" / odd).read_text()
    assert written.partition("\n")[2] == HOSTILE
    # changed: replaced where it is
    submit(real, "web@1.service", file=SPREAD + "# new\n")
    assert "# new" in (real.nodes["n1"].folder / "system" / "web@1.service").read_text()
    # drained: what may go, goes; what may not, waits
    say(real, lambda: real.scheduler.drain("n1", OPERATOR))
    assert not real.nodes["n1"].active()
    until(real, lambda: where(real, web) == {"web@1.service": {"n3"}, "web@2.service": {"n2"}})
    status = say(real, real.scheduler.status)
    assert list(status.unplaced) == ["pinned.service"]
    say(real, lambda: real.scheduler.uncordon("n1", OPERATOR))
    say(real, lambda: real.scheduler.desire(["pinned.service"], "launched"))
    say(real, lambda: settled(Own(real.scheduler), ["pinned.service", "agent.service"]))
    assert where(real, ["pinned.service", "agent.service"]) == {
        "pinned.service": {"n1"},
        "agent.service": {"n1", "n2", "n3"},
    }
    say(real, lambda: real.scheduler.desire(["pinned.service"], "loaded"))
    say(real, lambda: settled(Own(real.scheduler), ["pinned.service"]))
    assert where(real, ["pinned.service"]) == {"pinned.service": set()}
    # destroyed: nothing is left
    say(real, lambda: real.scheduler.destroy([*web, odd, "agent.service", "pinned.service"]))
    assert {name: node.leftovers() for name, node in real.nodes.items()} == {"n1": set(), "n2": set(), "n3": set()}
    state = say(real, real.scheduler.gateway.state)
    assert (state.units, state.on, state.held) == ({}, {}, {})
    assert max(real.most[name] for name in (*web, odd)) == 1


def test_a_node_that_was_away(real: Real) -> None:
    ready(real)
    names = ("a.service", "b.service", "c.service")
    submit(real, *names)
    (mine,) = [name for name, on in where(real, names).items() if on == {"n1"}]
    # rebooted: it has them again
    real.nodes["n1"].crash()
    real.nodes["n1"].boot()
    until(real, lambda: where(real, [mine]) == {mine: {"n1"}})
    # its unit was moved while it was away: the new node waits until the old one has come back without it
    real.nodes["n1"].crash()
    ended = hold(cast(World, real), ("n2",), lambda: real.scheduler.drain("n1", OPERATOR), pauses=10)
    assert any(mine in text for text in ended.pauses[-1])
    assert where(real, [mine]) == {mine: {"n1"}}, "nobody knows that it has stopped"
    real.nodes["n1"].boot()
    until(real, lambda: where(real, [mine])[mine] not in ({"n1"}, set()))
    say(real, lambda: real.scheduler.uncordon("n1", OPERATOR))
    assert not real.nodes["n1"].active()
    # the program alone was lost: what runs, runs on
    (other,) = [name for name, on in where(real, names).items() if on == {"n2"}][:1]
    real.nodes["n2"].crash()
    assert other in real.nodes["n2"].active()
    real.nodes["n2"].start()
    until(real, lambda: {n.host for n in listed(cast(World, real)) if n.state == "ready"} == {"n1", "n2", "n3"})
    assert other in real.nodes["n2"].active()
    assert max(real.most[name] for name in names) == 1


def test_a_node_that_is_gone_for_good(real: Real) -> None:
    ready(real)
    submit(real, "a.service", "b.service", "c.service")
    ended = hold(cast(World, real), ("n2",), lambda: real.scheduler.remove("n1"))
    assert isinstance(ended.error, RefusedError)
    real.nodes["n1"].crash()
    until(real, lambda: any(node.host == "n1" and node.state == "down" for node in listed(cast(World, real))))
    for file in (real.nodes["n1"].folder / "fake" / "active").iterdir():
        file.unlink()  # the power is off
    must(cast(World, real), ("n2",), lambda: real.scheduler.remove("n1"))
    names = ("a.service", "b.service", "c.service")
    until(real, lambda: all(where(real, names).values()))
    assert not any("n1" in on for on in where(real, names).values())
    assert {node.name for node in listed(cast(World, real))} == {"n2", "n3"}
    real.nodes["n1"].boot()
    until(real, lambda: any(node.host == "n1" and node.state == "ready" for node in listed(cast(World, real))))
    assert not real.nodes["n1"].active()
    assert max(real.most[name] for name in names) == 1


def test_a_unit_that_the_node_has_itself_is_left_alone(real: Real) -> None:
    ready(real)
    for node in real.nodes.values():
        (node.folder / "fake" / "own" / "sshd.service").touch()
    submit(real, "sshd.service")
    (row,) = say(real, lambda: settled(Own(real.scheduler), ["sshd.service"]))
    assert row.state == "refused: this node has a unit of its own with this name"
    say(real, lambda: real.scheduler.destroy(["sshd.service"]))
    assert not any("stop sshd" in (node.folder / "fake" / "log").read_text() for node in real.nodes.values())


def test_a_drain_waits_for_global_units_too(real: Real) -> None:
    ready(real)
    submit(real, "all.service", file=f"{PLAIN}[X-Fleet]\nGlobal=true\n")
    stubborn = real.nodes["n2"].folder / "fake" / "stubborn" / "all.service"
    stubborn.touch()
    ended = hold(cast(World, real), ("n1",), lambda: real.scheduler.drain("n2", OPERATOR), pauses=10)
    assert not ended.over
    assert ended.pauses[-1] == ("all.service (active/running)",)
    stubborn.unlink()
    say(real, lambda: real.scheduler.drain("n2", OPERATOR))
    assert where(real, ["all.service"]) == {"all.service": {"n1", "n3"}}


def test_a_node_that_was_cut_off_stops_what_another_one_was_given(real: Real) -> None:
    """The guarantee's one gap, and how it closes: somebody said that the node was gone, and it was not."""
    ready(real)
    submit(real, "a.service", file=f'{PLAIN}[X-Fleet]\nMachineMetadata="disk=ssd"\n')
    assert where(real, ["a.service"]) == {"a.service": {"n1"}}
    real.nodes["n1"].crash()  # what runs, runs on; nobody hears of it
    until(real, lambda: any(node.host == "n1" and node.state == "down" for node in listed(cast(World, real))))
    must(cast(World, real), ("n2",), lambda: real.scheduler.remove("n1"))
    until(real, lambda: where(real, ["a.service"]) == {"a.service": {"n1", "n2"}})
    real.nodes["n1"].start()
    until(real, lambda: where(real, ["a.service"]) == {"a.service": {"n2"}})


def test_a_sidekick_starts_with_its_unit_however_late_that_comes(real: Real) -> None:
    ready(real)
    side = f"[Unit]\nBindsTo=web.service\nAfter=web.service\n{PLAIN}[X-Fleet]\nMachineOf=web.service\n"
    files = {"a-side.service": side, "web.service": PLAIN}
    say(real, lambda: real.scheduler.submit(files, start=True))
    say(real, lambda: settled(Own(real.scheduler), list(files)))
    assert where(real, list(files)) == {"a-side.service": {"n1"}, "web.service": {"n1"}}
    # the unit is given to the new node after its sidekick was
    stubborn = real.nodes["n1"].folder / "fake" / "stubborn" / "web.service"
    stubborn.touch()
    hold(cast(World, real), ("n2",), lambda: real.scheduler.drain("n1", OPERATOR), pauses=10)
    assert where(real, list(files)) == {"a-side.service": set(), "web.service": {"n1"}}
    stubborn.unlink()
    until(real, lambda: where(real, list(files)) == {"a-side.service": {"n2"}, "web.service": {"n2"}})
