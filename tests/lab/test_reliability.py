"""What the engine does when real nodes break under it. Every test mends what it breaks (fixture ``healthy``)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coreops.engine import patience
from coreops.engine.engine import Engine, HostOutcome
from coreops.engine.steps import StepsProgram
from coreops.events import StepStarted
from coreops.inventory import load_inventory, target
from coreops.model import Blob, FileStep, Reconnect, ShellStep, Step
from tests.support.shells import new_run

pytestmark = pytest.mark.lab
both = pytest.mark.parametrize("transport", ["paramiko", "openssh"])


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(patience, "SILENCE", 1.0)
    monkeypatch.setattr(patience, "ALIVE", 3.0)
    monkeypatch.setattr(patience, "RECONNECT", 8.0)


class Node:
    """One node of the lab, driven by an engine of its own in a thread."""

    def __init__(self, lab, name="n1", transport="paramiko", run=None, **fields: Any) -> None:
        self.lab, self.name = lab, name
        inventory = load_inventory(lab.inventory)
        goal = replace(target(inventory, name, transport=transport), **{"connect_timeout": 6.0, **fields})
        self.events: list = []
        self.engine = Engine({name: goal}, self.events.append, run=run or new_run())
        self.program = StepsProgram([])
        self._outcome: HostOutcome | None = None

    def start(self, *steps: Step) -> threading.Thread:
        self.program = StepsProgram(steps)

        def work():
            self._outcome = self.engine.drive({self.name: self.program})[self.name]

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def run(self, *steps: Step) -> HostOutcome:
        return self.end(self.start(*steps))

    def end(self, thread: threading.Thread) -> HostOutcome:
        thread.join(180)
        self.engine.close()
        assert self._outcome is not None, "the engine did not end in time"
        return self._outcome

    def until_running(self, title: str) -> None:
        until(lambda: any(isinstance(e, StepStarted) and e.title == title for e in self.events))

    def sh(self, script: str) -> str:
        """Run a script on the node through a new engine; return its stdout."""
        other = Node(self.lab, self.name)
        outcome = other.run(ShellStep(id="1", title="sh", act=script))
        assert outcome.state == "done", outcome
        return other.program.records["1"].stdout.decode()


def until(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition did not come true in time"
        time.sleep(0.05)


def slow(log: str, seconds: float) -> ShellStep:
    return ShellStep(id="s", title="slow", act=f"echo x >> {log}; sleep {seconds}; echo end", once=True)


@both
def test_killed_in_the_middle(healthy, transport):
    node = Node(healthy, transport=transport)
    thread = node.start(ShellStep(id="1", title="long", act="sleep 300"))
    node.until_running("long")
    healthy.chaos("n1", "kill")
    outcome = node.end(thread)
    assert outcome.state == "unreachable"
    assert "n1" in str(outcome.error)


@both
def test_frozen_in_the_middle_and_thawed_too_late(healthy, transport):
    node = Node(healthy, transport=transport)
    thread = node.start(ShellStep(id="1", title="long", act="sleep 300"))
    node.until_running("long")
    healthy.chaos("n1", "freeze")
    began = time.monotonic()
    outcome = node.end(thread)
    assert outcome.state == "unreachable"
    assert time.monotonic() - began < 120
    healthy.chaos("n1", "thaw")


@both
def test_cut_and_healed_within_patience_acts_once(healthy, transport, monkeypatch):
    monkeypatch.setattr(patience, "RECONNECT", 90.0)
    node = Node(healthy, transport=transport)
    node.sh("rm -f /var/tmp/cut.log")
    thread = node.start(slow("/var/tmp/cut.log", 9), ShellStep(id="2", title="next", act="echo next"))
    node.until_running("slow")
    healthy.chaos("n1", "cut")
    time.sleep(6)  # longer than SILENCE + ALIVE: the connection is given up while the step still runs
    healthy.chaos("n1", "heal")
    outcome = node.end(thread)
    assert outcome.state == "done"
    assert node.program.records["s"].stdout == b"end\n"
    assert node.sh("cat /var/tmp/cut.log") == "x\n"


def test_power_lost_in_the_middle_of_a_step_that_may_not_act_twice(healthy, monkeypatch):
    monkeypatch.setattr(patience, "RECONNECT", 90.0)
    node = Node(healthy)
    node.sh("rm -f /var/tmp/power.log")
    thread = node.start(slow("/var/tmp/power.log", 30))
    node.until_running("slow")
    node.sh("until [ -s /var/tmp/power.log ]; do sleep 0.1; done; sync")
    healthy.chaos("n1", "kill")
    healthy.chaos("n1", "poweron")
    outcome = node.end(thread)
    assert node.program.records["s"].state == "unknown"
    assert outcome.state == "failed"
    assert node.sh("cat /var/tmp/power.log") == "x\n"


def test_reboot_is_a_step_like_any_other(healthy):
    node = Node(healthy)
    before = node.sh("cat /proc/sys/kernel/random/boot_id")
    outcome = node.run(
        ShellStep(
            id="1",
            title="reboot",
            act="systemd-run --quiet --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot",
            once=True,
            reconnect=Reconnect(60),
        ),
        ShellStep(id="2", title="after", act="cat /proc/sys/kernel/random/boot_id"),
    )
    assert outcome.state == "done"
    assert node.program.records["2"].stdout.decode() not in ("", before)


def test_full_disk_is_said_and_mended(healthy):
    node = Node(healthy)
    step = FileStep(id="1", title="file", path="/var/tmp/big", kind="file", content=Blob.of(b"x" * 3_000_000))
    healthy.chaos("n1", "fill-disk")
    try:
        outcome = node.run(step)
        assert outcome.state == "failed"
        assert "is the disk full" in str(outcome.error) or "No space left" in str(outcome.error)
    finally:
        healthy.chaos("n1", "free-disk")
    assert Node(healthy).run(step).state == "done"
    assert node.sh("ls -A /var/tmp | grep -c coreops || true") == "0\n"


def test_read_only_usr_is_refused_with_advice(healthy):
    for check in (True, False):
        node = Node(healthy)
        step = FileStep(id="1", title="t", path="/usr/bin/x", kind="file", content=Blob.of(b"x"))
        node.program = StepsProgram([step], check=check)
        with node.engine:
            outcome = node.engine.drive({"n1": node.program})["n1"]
        assert outcome.state == "failed"
        assert "/usr is read-only on this node; use /etc or /opt" in str(outcome.error)


@pytest.fixture
def asks(healthy):
    """A user on n1 whose sudo asks for a password (hunter2 ü)."""
    node = Node(healthy)
    key = (healthy.inventory / "id_ed25519.pub").read_text().strip()
    node.sh(
        "id carol >/dev/null 2>&1 || useradd -m -s /bin/sh carol\n"
        "printf 'carol:%s\\n' 'hunter2 ü' | chpasswd\n"
        "mkdir -p /home/carol/.ssh && echo '"
        + key
        + "' > /home/carol/.ssh/authorized_keys && chown -R carol /home/carol/.ssh\n"
        "echo 'carol ALL=(ALL) ALL' > /etc/sudoers.d/carol && chmod 440 /etc/sudoers.d/carol"
    )
    yield "carol"
    node.sh("rm -f /etc/sudoers.d/carol; userdel -r carol 2>/dev/null || true")


@both
def test_sudo_that_asks_for_a_password(healthy, asks, transport):
    outcome = Node(healthy, transport=transport, user=asks).run(ShellStep(id="1", title="t", act="id -u"))
    assert outcome.state == "unreachable"
    assert getattr(outcome.error, "kind", "") == "sudo"
    look = "id -u; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c 'hunter[2]' || true"
    node = Node(healthy, transport=transport, user=asks, become_password="hunter2 ü")
    assert node.run(ShellStep(id="1", title="t", act=look)).state == "done"
    assert node.program.records["1"].stdout == b"0\n0\n"
    wrong = Node(healthy, transport=transport, user=asks, become_password="wrong", connect_timeout=15.0)
    outcome = wrong.run(ShellStep(id="1", title="t", act="id -u"))
    assert getattr(outcome.error, "kind", "") == "sudo"
    assert "wrong" not in str(outcome.error)


@both
def test_changed_host_key(healthy, transport, tmp_path):
    line = (healthy.inventory / "known_hosts").read_text().splitlines()
    known = tmp_path / "known_hosts"
    hosts, kind, _ = line[0].split()[:3]
    other = line[1].split()[2]
    known.write_text(f"{hosts} {kind} {other}\n")
    outcome = Node(healthy, transport=transport, known_hosts=(known,)).run(ShellStep(id="1", title="t", act="true"))
    assert outcome.state == "unreachable"
    assert getattr(outcome.error, "kind", "") == "host key"
    assert known.read_text() == f"{hosts} {kind} {other}\n"


@both
def test_flood_of_100_megabytes(healthy, transport):
    node = Node(healthy, transport=transport)
    outcome = node.run(ShellStep(id="1", title="t", act="head -c 100000000 /dev/zero; head -c 1000000 /dev/zero >&2"))
    record = node.program.records["1"]
    assert outcome.state == "done"
    assert len(record.stdout) + len(record.stderr) + record.truncated == 101_000_000
    assert len(record.stdout) <= 4 * 1024 * 1024


@both
def test_binary_output(healthy, transport):
    node = Node(healthy, transport=transport)
    script = 'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %03o $i)"; i=$((i+1)); done'
    node.run(ShellStep(id="1", title="t", act=script))
    assert node.program.records["1"].stdout == bytes(range(256))


def test_a_step_that_overruns_leaves_nothing_running(healthy):
    node = Node(healthy)
    outcome = node.run(ShellStep(id="1", title="t", act="sleep 4321 & sleep 4321", timeout=1))
    assert outcome.state == "failed"
    assert node.sh("grep -lz 432[1] /proc/[0-9]*/cmdline 2>/dev/null | wc -l") == "0\n"


def test_secrets_are_in_no_process_list(healthy, tmp_path):
    """A watcher on the node looks at every command line while secrets travel."""
    node = Node(healthy)
    watch = Node(healthy)
    thread = watch.start(
        ShellStep(
            id="w",
            title="watch",
            act="end=$(($(date +%s)+3)); while [ $(date +%s) -lt $end ]; do "
            "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep 'swordfis[h]' && echo LEAK; done; true",
        )
    )
    watch.until_running("watch")
    secret = "swordfish"
    for n in range(5):
        outcome = Node(healthy).run(
            FileStep(
                id="1", title="t", path=f"/var/tmp/s{n}", kind="file", content=Blob.of(secret.encode()), mode=0o600
            ),
            ShellStep(
                id="2", title="t", act='test "$TOKEN" = "' + secret[:4] + '""' + secret[4:] + '"', env={"TOKEN": secret}
            ),
            ShellStep(id="3", title="t", act='cat "$blob1" >/dev/null; sleep 0.1', blobs=(Blob.of(secret.encode()),)),
        )
        assert outcome.state == "done", outcome
    watch.end(thread)
    assert watch.program.records["w"].stdout == b""
    assert node.sh("stat -c %a /var/tmp/s0; rm -f /var/tmp/s?") == "600\n"


def test_nothing_of_a_good_run_stays_on_the_node(healthy):
    run = new_run()
    node = Node(healthy, run=run)
    node.run(
        ShellStep(id="1", title="t", act="true", once=True),
        ShellStep(id="2", title="t", act="cat $blob1", blobs=(Blob.of(b"1"),)),
    )
    assert node.sh(f"find /var/lib/coreops /run/coreops -path '*{run}*' 2>/dev/null | wc -l") == "0\n"


def test_records_of_a_real_file_tree(healthy, tmp_path: Path):
    node = Node(healthy)
    steps = [
        FileStep(
            id=str(n), title="t", path=f"/var/tmp/tree/{n} ü$(x)", kind="file", content=Blob.of(b"%d" % n), owner="core"
        )
        for n in range(20)
    ]
    folder = FileStep(id="d", title="t", path="/var/tmp/tree", kind="directory", mode=0o711)
    first = Node(healthy)
    assert first.run(folder, *steps).state == "done"
    assert {record.state for record in first.program.records.values()} == {"changed"}
    assert node.run(folder, *steps).state == "done"
    assert {record.state for record in node.program.records.values()} == {"ok"}
