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
from coreops.schedulers.protocol import Cluster, Move, Seen, Settled, Talk
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


def test_a_stray_that_still_runs_is_drained_and_kept(site: Site) -> None:
    site.run()
    site.world.engine.nodes["old"] = Machine("worker")
    site.world.start("old")

    class Strays(Toy):
        def decide(self, seen: Any) -> Move | Settled:
            return Settled(strays=("old",))

        def nodes(self) -> Talk[Any]:
            found = yield from super().nodes()
            return tuple(replace(node, name="old") if not node.host else node for node in found)

    site.world.scheduler = Strays(site.world.scheduler.cluster)
    with pytest.raises(RefusedError, match="old still runs"):
        site.run(prune=True)
    assert site.world.running("old") == 0
    assert not site.world.open("old")


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


def test_secrets_are_rotated_on_request(site: Site) -> None:
    run = site.run(rotate=True)
    assert run.said[-1] == ("Rotate the secrets of toy", "new: the join token")
    assert run.further["scheduler"]["rotated"] == ["the join token"]
    assert "toy: new: the join token" in run.changes
    asked = len(site.world.engine.said)
    assert site.run(rotate=True, check=True).changes == ["toy: make new tokens, where it can"]
    assert {op for _, op in site.world.engine.said[asked:]} == {"look"}
