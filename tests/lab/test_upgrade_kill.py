"""``kill -9`` of coreops right behind each record of its log; ``coreops resume`` ends in the same state, and no node
reboots twice. COREOPS_ALL_KILLS=1: each kind of record in a turn of its own, too, and a moment later.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import pytest

from coreops.providers.namespace import image
from tests.lab.upgrades import NEW, NODES, OLD, Fleet, eventually, fleet
from tests.support import warm

pytestmark = pytest.mark.lab

KILLER = """
import os, signal, sys, threading
from pathlib import Path
from coreops.upgrade.running import runs
from coreops.upgrade.protocol import ROLLOUT

seen, at, delay = Path(sys.argv.pop(1)), sys.argv.pop(1), float(sys.argv.pop(1))
write, serials, counts = runs.Log.write, {}, {}

def kind(entry):
    word, what = next((key, value) for key, value in entry.items() if key != "time")
    if word == "do":
        name = f"{'rollout' if what.node == ROLLOUT else 'node'} {what.action.value}"
        counts[name] = counts.get(name, 0) + 1
        again = what.action.value in ("survey", "gate") and counts[name] > 1
        serials[what.serial] = name + (" again" if again else "")
    return f"{word} {serials[what.serial]}" if hasattr(what, "serial") else word

def killing(self, *entries, sync=False):
    for entry in entries:
        write(self, entry, sync=True)
        found = kind(entry)
        new = found not in seen.read_text().splitlines()
        with seen.open("a") as stream:
            stream.write(found + "\\n")
        if found == at or (at == "any that is new" and new):
            if delay:
                threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
            else:
                os.kill(os.getpid(), signal.SIGKILL)

runs.Log.write = killing
from coreops.cli import main
main()
"""

TURN = [
    "request",
    "plan",
    *(f"{word} rollout lease" for word in ("do", "did")),
    *(
        f"{word} node {action}"
        for action in (
            *("survey", "stage", "lease", "gate", "drain", "gate again", "activate", "reboot", "survey again"),
            *("check", "mark_good", "undrain", "release"),
        )
        for word in ("do", "did")
    ),
    *(f"{word} rollout release" for word in ("do", "did")),
    "end",
]
"""The kinds of records that one node's turn leaves, in order; ``test_a_turn_leaves_these_records`` compares."""

WORST = [
    ("did node stage", "do node activate", "did node check"),
    ("did node drain", "do node reboot", "did node mark_good"),
    ("did node reboot", "did node undrain"),
]
"""The worst moments. In one turn stand those of which the later one comes whatever was done again for the first."""

ALL = bool(os.environ.get("COREOPS_ALL_KILLS"))


@pytest.fixture(scope="module")
def cluster(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("kill"), "k", node_registry=False) as made:
        for version in (OLD, NEW):
            made.publish(image.current().usr(version), version)
        made.settings(upgrade_samples=1, upgrade_soak=0)
        yield made


NEXT = cycle(NODES)


@pytest.fixture
def node(cluster: Fleet) -> Iterator[str]:
    """A node whose turn it is, to the release that it does not run. Everybody is well, before and behind it."""
    eventually(cluster.store.healthy, 120, "etcd is well")
    yield next(NEXT)
    cluster.settle()


class Round:
    """One node's turn, however often the controller dies in it."""

    def __init__(self, cluster: Fleet, node: str, seen: Path) -> None:
        self.cluster, self.node, self.seen = cluster, node, seen
        self.before = cluster.look()
        self.goal = NEW if self.before[node].release == OLD else OLD
        self.first = True
        seen.touch()

    def run(self, at: str, delay: float = 0.0) -> int:
        """Upgrade, or resume when that was done; die behind the record. Return how it ended."""
        upgrade = ["upgrade", self.cluster.inventory, "--yes", "--limit", self.node, "--version", self.goal]
        words = [*upgrade, "--allow-downgrade"] if self.first else ["resume", "--yes"]
        self.first = False
        command = [sys.executable, "-c", KILLER, str(self.seen), at, str(delay), *map(str, words)]
        done = warm.run(command, cwd=self.cluster.folder, env=self.cluster.environment, timeout=300)
        # 3: it met the node while that rebooted; whoever types the command again will find it.
        assert done.returncode in (0, 3, -signal.SIGKILL), done.stdout + done.stderr
        return done.returncode

    def until(self, at: str) -> None:
        """Upgrade, or resume, until it dies behind the record; again where it met the node while that rebooted."""
        deadline = time.monotonic() + 300
        while (code := self.run(at)) != -signal.SIGKILL:
            assert code == 3, f"it came to its end without {at}"
            assert time.monotonic() < deadline

    def finish(self, at: str = "") -> None:
        """Resume until it is done."""
        deadline = time.monotonic() + 300
        while self.run(at) != 0:
            assert time.monotonic() < deadline

    def check(self) -> None:
        """The node runs the release, proven; it has rebooted once, and nobody else has; nothing was left behind."""
        cluster, node = self.cluster, self.node
        after, was = cluster.look(), self.before
        for name in NODES:
            assert after[name].boots == was[name].boots + (name == node), name
        assert after[node].release == self.goal
        assert after[node].slot != was[node].slot
        bits = after[node].bits
        assert bits[after[node].slot][2]
        assert bits[was[node].slot][2], "the old slot is good, too"
        assert bits[after[node].slot][0] > bits[was[node].slot][0]
        left = cluster.sh(node, "cd /var/lib/coreops/upgrade; ls ticket drained undraining 2>/dev/null; :")
        assert left == ""
        assert not cluster.store.keys("/coreops/upgrade/v1/leases/")
        eventually(cluster.store.healthy, 120, "etcd is well")


def test_a_turn_leaves_these_records(cluster: Fleet, node: str, tmp_path: Path) -> None:
    known: dict[str, None] = {"do node move_leader": None}
    while "do node move_leader" in known:  # who led the store had more to do; then it is somebody else's turn
        one = Round(cluster, node, tmp_path / "seen")
        assert one.run("none") == 0
        one.check()
        known = dict.fromkeys(one.seen.read_text().splitlines())
        one.seen.unlink()
        node = next(NEXT)
    known.pop("failed node survey again", None)  # answers while it reboots
    assert list(known) == TURN


def test_killed_behind_every_kind_of_record_in_one_turn(cluster: Fleet, node: str, tmp_path: Path) -> None:
    one = Round(cluster, node, tmp_path / "seen")
    one.finish("any that is new")
    passed = {f"{word} node {what}" for word in ("do", "did") for what in ("survey again", "release")}
    assert set(one.seen.read_text().splitlines()) >= {*TURN} - passed  # a resume looks anew, and finds nothing left
    one.check()


@pytest.mark.parametrize("moments", [*WORST, *([at] for at in TURN if ALL)], ids=", ".join)
def test_killed_behind_records(cluster: Fleet, node: str, tmp_path: Path, moments: Sequence[str]) -> None:
    one = Round(cluster, node, tmp_path / "seen")
    for at in moments:
        one.until(at)
    one.finish()
    one.check()


@pytest.mark.skipif(not ALL, reason="only with COREOPS_ALL_KILLS=1")
@pytest.mark.parametrize("delay", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("at", [kind for kind in TURN if kind.startswith("do ")])
def test_killed_a_moment_behind_a_record(cluster: Fleet, node: str, tmp_path: Path, at: str, delay: float) -> None:
    one = Round(cluster, node, tmp_path / "seen")
    if one.run(at, delay) != 0:  # the last ones may be too late
        one.finish()
    one.check()
