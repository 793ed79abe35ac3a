"""What happens around an upgrade: power, network, keys, operators and other agents. Nobody is taken down twice, nobody
is left half done without being told.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from threading import Event, Thread

import pytest
import yaml

from coreops.providers.namespace import image
from tests.lab.upgrades import NEW, NODES, OLD, Fleet, Run, eventually, fleet, last_lines

pytestmark = pytest.mark.lab

STUBBORN = (
    '[Service]\nExecStart=/bin/sh -c "trap : TERM; while :; do sleep 1; done"\nTimeoutStopSec=infinity\n'
    "SendSIGHUP=no\nKillMode=process\n"
)
HOOKS = """
- hosts: all
  become: true
  gather_facts: false
  tasks:
    - name: another key
      shell: |
        rm -f /root/new* && ssh-keygen -q -t ed25519 -N '' -f /root/new && cat /root/new >/etc/ssh/ssh_host_ed25519_key
      tags: [before_reboot]
"""
NEXT = cycle(NODES)


@pytest.fixture(scope="module")
def made(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("trouble"), "x", node_registry=False) as found:
        for version in (OLD, NEW):
            found.publish(image.current().usr(version), version)
        yield found


@pytest.fixture
def cluster(made: Fleet) -> Iterator[Fleet]:
    made.settings(upgrade_samples=1)
    eventually(made.store.healthy, 120, "etcd is well")
    yield made
    made.settle()


class Turn:
    """One node on its way to the release that it does not run."""

    def __init__(self, cluster: Fleet) -> None:
        self.cluster, self.node = cluster, next(NEXT)
        self.before = cluster.look()[self.node]
        self.goal = NEW if self.before.release == OLD else OLD
        self.slot = "USR-B" if self.before.slot == "USR-A" else "USR-A"
        self.options = ("--limit", self.node, "--version", self.goal, "--allow-downgrade")

    def start(self) -> Run:
        return self.cluster.start_upgrade(*self.options)

    def upgrade(self, expect: int) -> str:
        return self.cluster.upgrade(*self.options, expect=expect)

    def came_up(self) -> None:
        """Return when the machine has chosen the new slot."""

        def up() -> bool:
            return self.cluster.runs_from(self.node) == self.slot and self.cluster.is_on(self.node)

        eventually(up, 180, f"{self.node} boots {self.slot}")

    def answers(self) -> None:
        """Return when its sshd takes connections."""

        def open_door() -> bool:
            with socket.socket() as sock:
                return sock.connect_ex((self.cluster.lab.node(self.node).address, 22)) == 0

        eventually(open_door, 180, f"sshd of {self.node} listens")

    def done(self) -> None:
        after = self.cluster.look()[self.node]
        assert (after.slot, after.release, after.boots) == (self.slot, self.goal, self.before.boots + 1)
        assert after.bits[self.slot][2]
        self.nothing_left()

    def untouched(self) -> None:
        after = self.cluster.look()[self.node]
        assert (after.slot, after.release, after.boots) == (self.before.slot, self.before.release, self.before.boots)
        assert not any(after.bits[self.slot][1:]) or after.bits[self.slot] == self.before.bits[self.slot]
        self.nothing_left()

    def nothing_left(self) -> None:
        left = "cd /var/lib/coreops/upgrade 2>/dev/null && ls ticket drained undraining lease* 2>/dev/null; :"
        assert self.cluster.sh(self.node, left) == ""
        assert not self.cluster.store.keys("/coreops/upgrade/v1/leases/")


@contextmanager
def veto(cluster: Fleet, node: str, why: str = "the backup runs") -> Iterator[None]:
    cluster.sh(node, f"mkdir -p /run/coreops/veto.d && echo {why!r} >/run/coreops/veto.d/test")
    try:
        yield
    finally:
        cluster.sh(node, "rm /run/coreops/veto.d/test")


def vetoed(cluster: Fleet, node: str) -> str:
    """Return what ``why`` says as soon as it tells of the veto."""

    def told() -> str:
        said = cluster.coreops("why", node, "-i", cluster.inventory)
        return said if "vetoed" in said else ""

    return str(eventually(told, 120, f"{node} is vetoed"))


@contextmanager
def full_disk(cluster: Fleet, node: str) -> Iterator[None]:
    """No block is free, and none stays so that comes free: the journal gives up old files when it has no room."""
    over = Event()

    def fill() -> None:
        while not over.wait(0.2):
            cluster.lab.chaos(node, "fill-disk")

    cluster.lab.chaos(node, "fill-disk")
    filler = Thread(target=fill, daemon=True)
    filler.start()
    try:
        yield
    finally:
        over.set()
        filler.join(timeout=60)
        cluster.lab.chaos(node, "free-disk")


def test_a_veto_a_second_controller_and_a_leader_that_moved_behind_our_back(cluster: Fleet) -> None:
    before, leader = cluster.look(), cluster.store.leader()
    assert {node.release for node in before.values()} == {OLD}
    options = ("--version", NEW)
    planned = cluster.coreops("upgrade", cluster.inventory, "--dry-run", *options)
    order = re.findall(r"^ +[0-9]\. +(n[0-9])", planned, re.M)
    assert sorted(order) == [*NODES]
    with veto(cluster, order[0]):
        run = cluster.start_upgrade(*options)
        said = vetoed(cluster, order[0])
        assert "the backup runs" in said
        assert run.log.parent.name in said
        refused = cluster.upgrade(*options, expect=4)
        assert run.log.parent.name in refused
        assert "@rollout" in cluster.coreops("locks", "list", "-i", cluster.inventory)
        assert cluster.store.leader() == leader
        cluster.move_leader(order[1])
    said = run.end(0)
    after = cluster.look()
    for name in NODES:
        assert after[name].release == NEW
        assert after[name].boots == before[name].boots + 1, name
    assert re.findall(r"(n[0-9]) +reboot ", said) == [order[0], order[2], order[1]]
    assert cluster.store.healthy()


def test_interrupted_once_it_finishes_the_node_and_resume_does_the_rest(cluster: Fleet) -> None:
    before = cluster.look()
    assert {node.release for node in before.values()} == {NEW}
    options = ("--version", OLD, "--allow-downgrade")
    run = cluster.start_upgrade(*options)
    planned = eventually(
        lambda: [e for e in run.entries() if e.get("do", {}).get("action") == "reboot"], 60, "a reboot"
    )
    first = planned[0]["do"]["node"]
    run.signal(signal.SIGINT)
    ends = last_lines(run.end(5))
    assert ends[first].startswith("done")
    assert all(ends[name].startswith("not reached") for name in NODES if name != first)
    done = last_lines(cluster.coreops("resume", "--yes"))
    assert all(end.startswith(("done", "current")) for end in done.values())
    after = cluster.look()
    for name in NODES:
        assert after[name].release == OLD
        assert after[name].boots == before[name].boots + 1, name


def test_a_power_cut_in_the_first_boot_of_the_new_slot_falls_back(cluster: Fleet) -> None:
    cluster.settings(upgrade_patience={"back": 8})
    turn = Turn(cluster)
    run = turn.start()
    turn.came_up()
    cluster.lab.chaos(turn.node, "kill")
    assert last_lines(run.end(1))[turn.node].startswith("lost")
    assert turn.node in cluster.coreops("locks", "list", "-i", cluster.inventory)
    assert turn.node in cluster.coreops("status", "-i", cluster.inventory, expect=3)
    cluster.lab.chaos(turn.node, "poweron")
    assert last_lines(cluster.coreops("resume", "--yes", expect=1))[turn.node].startswith("rolled back")
    after = cluster.look()[turn.node]
    assert (after.slot, after.release) == (turn.before.slot, turn.before.release)
    assert after.bits[turn.slot] == (0, 0, False)
    turn.nothing_left()
    cluster.coreops("deny", "clear", turn.goal, "-i", cluster.inventory)


def test_a_network_that_is_cut_while_it_reboots_and_heals_is_waited_for(cluster: Fleet) -> None:
    turn = Turn(cluster)
    run = turn.start()
    turn.came_up()
    cluster.lab.chaos(turn.node, "cut")
    tried = len([entry for entry in run.entries() if "failed" in entry])
    eventually(lambda: len([e for e in run.entries() if "failed" in e]) > tried, 120, "a look failed")
    cluster.lab.chaos(turn.node, "heal")
    assert last_lines(run.end(0))[turn.node].startswith("done")
    turn.done()


def test_a_host_key_that_changes_with_the_reboot_stops_it_until_it_is_mended(cluster: Fleet) -> None:
    turn = Turn(cluster)
    key = cluster.inside(turn.node, "/etc/ssh/ssh_host_ed25519_key")
    known = key.read_bytes()
    hooks = cluster.folder / "hooks.yml"
    hooks.write_text(HOOKS)
    run = cluster.start("upgrade", cluster.inventory, "--yes", "--playbook", hooks, *turn.options)
    said = run.end(1)
    assert last_lines(said)[turn.node].startswith("lost")
    assert "host key" in said
    turn.came_up()
    turn.answers()
    cluster.inside(turn.node, "/etc/ssh/ssh_host_ed25519_key").write_bytes(known)
    assert last_lines(cluster.coreops("resume", "--yes"))[turn.node].startswith("done")
    turn.done()


def test_an_aborted_rollout_puts_back_who_has_not_rebooted(cluster: Fleet) -> None:
    turn = Turn(cluster)
    with veto(cluster, turn.node):
        run = turn.start()
        vetoed(cluster, turn.node)
        said = cluster.coreops("abort")
    assert run.log.parent.name in said
    run.end(5)
    turn.untouched()


def test_the_rest_of_a_dead_rollout_is_finished_by_abort(cluster: Fleet) -> None:
    turn = Turn(cluster)
    run = turn.start()
    run.wait_for(turn.node, "check")
    run.kill()
    assert "silent for" in cluster.coreops("locks", "explain", turn.node, "-i", cluster.inventory)
    assert turn.goal in cluster.coreops("why", turn.node)
    assert last_lines(cluster.coreops("abort", "--yes"))[turn.node].startswith("done")
    turn.done()


def test_a_full_disk_stops_it_before_anything_happens(cluster: Fleet) -> None:
    turn = Turn(cluster)
    with full_disk(cluster, turn.node):
        said = turn.upgrade(expect=1)
    # As it is found out: by a command, or by the disk itself when what was written is to be on it.
    assert re.search(r"is the disk full\?|No space left|or /\S+ is full:", said), said
    turn.untouched()


def test_another_agent_that_may_reboot_the_node_must_hand_over_first(cluster: Fleet) -> None:
    turn = Turn(cluster)
    unit = "[Service]\nExecStart=/bin/sleep infinity\n"
    cluster.sh(turn.node, f"echo '{unit}' >/etc/systemd/system/locksmithd.service; systemctl start locksmithd")
    try:
        said = turn.upgrade(expect=4)
        assert "REBOOT_STRATEGY=off" in said
        turn.untouched()
    finally:
        cluster.sh(turn.node, "systemctl stop locksmithd; rm /etc/systemd/system/locksmithd.service")
        cluster.sh(turn.node, "systemctl daemon-reload")


def test_work_that_does_not_go_away_keeps_the_node_up(cluster: Fleet) -> None:
    cluster.settings(upgrade_drain={"units": ["app-*.service"]}, upgrade_patience={"drain": 4})
    turn = Turn(cluster)
    cluster.sh(turn.node, f"cat >/etc/systemd/system/app-stubborn.service <<'E'\n{STUBBORN}E")
    cluster.sh(turn.node, "systemctl daemon-reload; systemctl start app-stubborn")
    said = turn.upgrade(expect=1)
    assert "app-stubborn.service has not stopped" in said
    after = cluster.look()[turn.node]
    assert after.boot_id == turn.before.boot_id
    cluster.sh(turn.node, "systemctl kill -s KILL app-stubborn; systemctl reset-failed; :")
    cluster.coreops("abort", "--yes")
    assert cluster.sh(turn.node, "systemctl is-active app-stubborn") == "active"
    turn.untouched()
    cluster.sh(turn.node, "systemctl kill -s KILL app-stubborn; rm /etc/systemd/system/app-stubborn.service")
    cluster.sh(turn.node, "systemctl daemon-reload; systemctl reset-failed; :")


def test_without_etcd_markers_on_the_nodes_are_the_locks(cluster: Fleet) -> None:
    bare = cluster.folder / "bare"
    shutil.copytree(cluster.inventory, bare, ignore=shutil.ignore_patterns("pki"))
    whole = yaml.safe_load((cluster.inventory / "hosts.yml").read_text())["all"]
    hosts = whole["children"]["store"]["hosts"]
    Path(bare / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": whole["vars"], "hosts": hosts}}))
    turn = Turn(cluster)
    with veto(cluster, turn.node):
        run = cluster.start("upgrade", bare, "--yes", *turn.options)
        vetoed(cluster, turn.node)
        refused = cluster.coreops("upgrade", bare, "--yes", *turn.options, expect=4)
        assert run.log.parent.name in refused
        assert "@rollout" in cluster.coreops("locks", "list", "-i", bare)
        for name in NODES:
            assert cluster.sh(name, f"grep -rl {run.log.parent.name} /var/lib/coreops")
    assert last_lines(run.end(0))[turn.node].startswith("done")
    turn.done()
    assert "nobody holds a lease" in cluster.coreops("locks", "list", "-i", bare)
