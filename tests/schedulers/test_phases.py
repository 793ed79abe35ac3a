"""The phases of bootstrap for a scheduler, with the toy: what is done, in which order, and what a second run does."""

from __future__ import annotations

import contextlib
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from coreops.errors import HostFailed, InterruptedRun, RefusedError, UnreachableError
from coreops.events import Event, Notice
from coreops.model import Target
from coreops.schedulers import kept, phases
from coreops.schedulers.install import Install
from coreops.schedulers.protocol import Cluster, Issues, Move, Seen, Settled, Talk
from coreops.schedulers.settings import Wanted
from tests.schedulers.fakes import ToyEngine
from tests.schedulers.toy import Machine, Toy, ToyWorld


@dataclass
class Site:
    """A toy cluster and the folder of its inventory; each ``run`` is one bootstrap."""

    root: Path
    world: ToyWorld
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = ToyEngine(self.world)
        self.now = 0.0

    def run(self, *, only: frozenset[str] | None = None, rotate: bool = False, **options: Any) -> Any:
        scheduler = self.world.scheduler
        targets = {name: Target(name=name, address=name) for name in scheduler.cluster.names}
        install = Install(
            wanted=Wanted(scheduler.cluster, targets, scheduler, None),  # type: ignore[arg-type]
            locked={},
            playbook=None,
            secrets=kept.load(self.root / "pki", scheduler.secrets()),
            rotate=rotate,
            issued=scheduler.issued() if rotate and isinstance(scheduler, Issues) else (),
        )
        run = SimpleNamespace(
            install=install,
            options=SimpleNamespace(**{"check": False, "diff": False, "prune": False, **options}),
            emit=self.events.append,
            inventory=None,
            engine=self.engine,
            nodes=SimpleNamespace(exchanges={}, ok={}, changed={}),
            pki=SimpleNamespace(root=self.root / "pki", files={"ca.key": b"k", "ca.crt": b"c"}),
            only=only,
            changes=[],
            further={},
            said=[],
        )
        with contextlib.ExitStack() as stack:
            for phase in phases.of(install):
                steps: phases.Steps = phase.work.__self__  # type: ignore[attr-defined]
                steps.clock, steps.sleep = self.clock, self.sleep
                if not phase.idle():
                    run.said.append((phase.title, phase.work(run, stack)))  # type: ignore[arg-type]
        return run

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.world.tick()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "pki").mkdir(mode=0o700)
    (tmp_path / "pki" / "ca.key").touch()
    (tmp_path / "pki" / "ca.crt").touch()
    return Site(tmp_path, ToyWorld(joined=False))


def test_bare_hosts_become_a_cluster(site: Site) -> None:
    run = site.run()
    assert [title for title, _ in run.said] == ["Look at toy", "Install toy", "Join toy", "Verify toy"]
    assert run.said[-1][1] == "5 nodes ready, leader m1"
    assert run.changes == ["toy: a new secret: toy.token", "toy: join m1, m2, m3, w1, w2"]
    assert sorted(site.world.engine.nodes) == ["m1", "m2", "m3", "w1", "w2"]
    assert run.further["scheduler"]["leader"] == "m1"
    secret = site.root / "pki" / "toy.token"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert len(bytes.fromhex(secret.read_text())) == 32
    assert [event.text for event in site.events if isinstance(event, Notice)] == ["toy: join m1, m2, m3, w1, w2"]


def test_a_second_run_changes_nothing(site: Site) -> None:
    site.run()
    before, secret = list(site.world.engine.said), (site.root / "pki" / "toy.token").read_bytes()
    run = site.run()
    assert run.said == [
        ("Look at toy", "5 nodes, as wanted: nothing to change"),
        ("Verify toy", "5 nodes ready, leader m1"),
    ]
    assert run.changes == []
    assert {op for _, op in site.world.engine.said[len(before) :]} == {"look", "list"}
    assert run.nodes.exchanges == {"m1": 2, "m2": 1, "m3": 1, "w1": 1, "w2": 1}
    assert (site.root / "pki" / "toy.token").read_bytes() == secret


def test_a_check_tells_and_touches_nothing(site: Site) -> None:
    run = site.run(check=True)
    assert run.said == [("Look at toy", "would change: a new secret: toy.token; join m1, m2, m3, w1, w2")]
    assert not site.world.engine.nodes
    assert not (site.root / "pki" / "toy.token").exists()
    site.run()
    assert site.run(check=True).changes == []


def test_an_interrupted_run_is_repeated(site: Site) -> None:
    def stop(host: str, step: object) -> None:
        site.engine.interrupted = "m2" in site.world.engine.nodes

    site.engine.on_step = stop
    with pytest.raises(InterruptedRun):
        site.run()
    assert 0 < len(site.world.engine.nodes) < 5
    site.engine.on_step, site.engine.interrupted = (lambda host, step: None), False
    run = site.run()
    assert len(site.world.engine.nodes) == 5
    assert run.changes
    assert site.run().changes == []


def test_a_host_outside_the_limit_is_not_touched(site: Site) -> None:
    with pytest.raises(RefusedError, match="m1, m2, m3 must be touched but is outside --limit"):
        site.run(only=frozenset({"w1", "w2"}))
    assert not site.world.engine.nodes


def test_a_worker_outside_the_limit_may_be_away(site: Site) -> None:
    site.run()
    site.world.kill("w2")
    site.engine.down = {"w2"}
    run = site.run(only=frozenset({"w1"}))
    assert run.changes == []
    assert run.said[-1][0] == "Verify toy"
    with pytest.raises(UnreachableError):
        site.run()


def test_what_the_adapter_refuses_is_refused_before_anything(site: Site) -> None:
    class Refuses(Toy):
        def decide(self, seen: Any) -> Move | Settled:
            raise RefusedError("w1 is in another cluster")

    site.world.scheduler = Refuses(site.world.scheduler.cluster)
    with pytest.raises(RefusedError):
        site.run()
    assert not (site.root / "pki" / "toy.token").exists()
    assert {op for _, op in site.world.engine.said} == {"look"}


def test_waiting_ends(site: Site) -> None:
    class Waits(Toy):
        def decide(self, seen: Any) -> Move | Settled:
            return Move(title="wait until m1 leads")

    site.world.scheduler = Waits(site.world.scheduler.cluster)
    with pytest.raises(HostFailed, match="toy: wait until m1 leads: not done within 180 s"):
        site.run()
    assert 180 < site.now < 200


def test_moves_that_lead_nowhere_end(site: Site) -> None:
    class Circles(Toy):
        def decide(self, seen: Any) -> Move | Settled:
            return Move(title="try again", talks={"m1": self._join})

    site.world.scheduler = Circles(site.world.scheduler.cluster)
    with pytest.raises(HostFailed, match="toy does not settle"):
        site.run()


def test_strays_are_told_and_pruned(site: Site) -> None:
    class Strays(Toy):
        def __init__(self, cluster: Cluster) -> None:
            super().__init__(cluster)
            self.known = site.world.engine.nodes

        def decide(self, seen: Any) -> Move | Settled:
            found = super().decide(seen)
            if isinstance(found, Settled):
                return Settled(strays=tuple(sorted(set(self.known) - set(self.cluster.names))))
            return found

    site.run()
    site.world.engine.nodes["old"] = Machine("worker", alive=False)
    site.world.scheduler = Strays(site.world.scheduler.cluster)
    run = site.run()
    assert run.further["scheduler"]["strays"] == ["old"]
    assert "old" in site.world.engine.nodes
    run = site.run(prune=True)
    assert "old" not in site.world.engine.nodes
    assert run.changes == ["toy: removed old, which is not in the inventory"]
    assert run.further["scheduler"]["strays"] == []


def test_a_stray_that_still_runs_is_refused_before_anything_is_done(site: Site) -> None:
    site.run()
    site.world.engine.nodes["old"] = Machine("worker")
    site.world.start("old")

    class Strays(Toy):
        def decide(self, seen: Any) -> Move | Settled:
            return Settled(strays=("gone", "old"))

        def nodes(self) -> Talk[Any]:
            found = yield from super().nodes()
            old = next(node for node in found if not node.host)
            dead = replace(old, name="old", state="down", machine="id-2")
            return (*(node for node in found if node.host), replace(old, name="old", machine="id-1"), dead)

    site.world.scheduler = Strays(site.world.scheduler.cluster)
    for more in ({}, {"check": True}):
        with pytest.raises(RefusedError, match="old still runs") as caught:
            site.run(prune=True, **more)
        assert caught.value.why == "id-1 is ready; id-2 is down"
        assert "coreops drain old" in (caught.value.next or "")
    assert site.world.running("old") == 1
    assert site.world.open("old")


class Expelling(Toy):
    """It can forget a node that still runs. One has left the inventory."""

    def __init__(self, world: ToyWorld) -> None:
        super().__init__(world.scheduler.cluster)
        self.world = world

    def decide(self, seen: Any) -> Move | Settled:
        return Settled(strays=tuple(f"id-{name}" for name in self.world.engine.nodes if name not in self.cluster.names))

    def expel(self, host: str) -> Talk[None]:
        name = host.removeprefix("id-")
        assert not self.world.running(name)
        self.world.kill(name)
        yield from self._do("remove", name=name)


def test_a_stray_that_still_runs_is_drained_and_removed_where_the_scheduler_can(site: Site) -> None:
    site.run()
    site.world.engine.nodes["old"] = Machine("worker")
    site.world.start("old")
    site.world.scheduler = Expelling(site.world)
    assert site.run(prune=True, check=True).changes == ["toy: drain id-old, which still runs, and remove it"]
    assert site.world.running("old") == 1
    hosts = site.world.scheduler.cluster.names
    for name in hosts:
        site.world.close(name)
    with pytest.raises(RefusedError, match="the work of id-old has nowhere to go"):
        site.run(prune=True)
    assert site.world.open("old")
    for name in hosts:
        site.world.engine.nodes[name] = replace(site.world.engine.nodes[name], availability="active")
    run = site.run(prune=True)
    assert run.changes == ["toy: drained id-old", "toy: removed id-old, which is not in the inventory"]
    assert Notice("toy: id-old still runs: its work is moved, then it is removed") in site.events
    assert "old" not in site.world.engine.nodes
    assert sum(site.world.running(name) for name in hosts) == 1


def test_a_node_that_does_not_get_ready_is_named(site: Site) -> None:
    class Forgets(Toy):
        def nodes(self) -> Talk[Any]:
            site.now += 100
            return (yield from super().nodes())[1:]

        def look(self, host: str) -> Talk[Seen]:
            return (yield from super().look(host))

    site.run()
    site.world.kill("w2")
    site.world.scheduler = Forgets(site.world.scheduler.cluster)
    with pytest.raises(HostFailed, match="wait for the nodes of toy") as caught:
        site.run()
    assert caught.value.why == "still there: m1 (not a node yet); w2 (down)"


class Drawing(Toy):
    """Its engine draws the token itself."""

    def issued(self) -> tuple[str, ...]:
        return ("toy.token",)

    def issue(self, name: str) -> Talk[bytes]:
        yield from self._do("list")
        return b"drawn\n"

    def fixed(self) -> dict[str, str]:
        return {"toy.stone": "it is of stone"}


def test_a_secret_that_the_engine_draws_is_kept_and_installed_and_then_all_is_looked_at_again(site: Site) -> None:
    site.run()
    secret = site.root / "pki" / "toy.token"
    old, site.world.scheduler = secret.read_bytes(), Drawing(site.world.scheduler.cluster)
    assert site.run(rotate=True, check=True).changes == [
        "toy: make new tokens, where it can",
        "toy: have toy make a new toy.token",
    ]
    with pytest.raises(RefusedError, match=r"m2, m3 must get the new toy\.token but is outside --limit"):
        site.run(rotate=True, only=frozenset({"m1", "w1"}))
    assert secret.read_bytes() == old
    run = site.run(rotate=True)
    assert secret.read_bytes() == b"drawn\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert run.said[-1] == ("Rotate the secrets of toy", "new: toy.token, the join token")
    assert "toy: new: toy.token" in run.changes
    assert "drawn" not in f"{run.said}{run.changes}{run.further}{site.events}"
    assert Notice("toy: toy.stone stays as it is: it is of stone") in site.events
    assert site.world.engine.said[-1][1] == "look"


def test_secrets_are_rotated_on_request(site: Site) -> None:
    run = site.run(rotate=True)
    assert run.said[-1] == ("Rotate the secrets of toy", "new: the join token")
    assert run.further["scheduler"]["rotated"] == ["the join token"]
    assert "toy: new: the join token" in run.changes
    asked = len(site.world.engine.said)
    assert site.run(rotate=True, check=True).changes == ["toy: make new tokens, where it can"]
    assert {op for _, op in site.world.engine.said[asked:]} == {"look"}
