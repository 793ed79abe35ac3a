"""``strategy: linear`` through the whole engine: real shells, a slow, a failing and a lost host, Ctrl-C, resume."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from coreops.engine.engine import Engine
from coreops.engine.journal import Journal, RunInfo
from coreops.engine.plays import PlaysOutcome, run_plays
from coreops.errors import ExitCode
from coreops.events import Event, TaskFinished
from coreops.inventory import load_inventory
from coreops.model import Target
from coreops.playbook import bind, load_playbook
from coreops.transport.fake import FakeConnection, FakeTransport, Fault
from tests.support.shells import new_run
from tests.support.sshd import Sshd, sshd  # noqa: F401

PLAYBOOK = """\
- hosts: all
  strategy: linear
  gather_facts: false
  @setting@
  tasks:
    - shell: echo begin {{ inventory_hostname }} 0 >>@log@; @zero@; echo end {{ inventory_hostname }} 0 >>@log@
    - shell: echo begin {{ inventory_hostname }} 1 >>@log@; @one@; echo end {{ inventory_hostname }} 1 >>@log@
    - shell: echo begin {{ inventory_hostname }} 2 >>@log@; echo end {{ inventory_hostname }} 2 >>@log@
- hosts: all
  gather_facts: false
  tasks:
    - shell: echo later {{ inventory_hostname }} >>@log@
"""


class Counting(FakeTransport):
    """Knows how many connections were open at a time."""

    most = 0

    def open(self, target: Target, command: str) -> FakeConnection:
        made = super().open(target, command)
        self.most = max(self.most, sum(one.inner.alive(0) for one in list(self.opened)))
        return made


class World:
    """Hosts that write what they do into one log."""

    def __init__(self, folder: Path, hosts: str = "n[1:3]\n", **texts: str) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()
        self.events: list[Event] = []
        (folder / "hosts.ini").write_text(hosts)
        self.write(**texts)

    def write(self, **texts: str) -> None:
        """The playbook; ``zero`` and ``one``: what the first two tasks do."""
        text = PLAYBOOK
        for name, value in {"setting": "vars: {}", "zero": ":", "one": ":", "log": str(self.log), **texts}.items():
            text = text.replace(f"@{name}@", value)
        (self.folder / "play.yml").write_text(text)

    def lines(self, word: str) -> list[str]:
        """The lines that begin with this word, without it."""
        return [line.removeprefix(f"{word} ") for line in self.log.read_text().splitlines() if line.startswith(word)]

    def check_order(self) -> None:
        """When a task begins anywhere, nobody is still in an earlier one, or yet to begin it."""
        found = [line.split() for line in self.log.read_text().splitlines() if not line.startswith("later")]
        for at, (word, host, task) in enumerate(found):
            late = [line for line in found[at + 1 :] if line[2] < task]
            assert word == "end" or not late, f"{host} began {task} before {late}"

    def run(
        self,
        *,
        faults: Mapping[str, Fault] | None = None,
        forks: int | None = None,
        journal: Journal | None = None,
        targets: Mapping[str, Target] | None = None,
        watch: Callable[[Engine, Event], None] = lambda engine, event: None,
    ) -> PlaysOutcome:
        inventory = load_inventory(self.folder / "hosts.ini")
        transport = self.transport = None if targets else Counting(self.folder / "hosts", faults)
        wanted = targets or {host: Target(host, host, transport="fake") for host in inventory.hosts}

        def emit(event: Event) -> None:
            self.events.append(event)
            watch(engine, event)

        run = journal.id if journal else new_run()
        with Engine(wanted, emit, run=run, transport=transport, forks=forks, journal=journal) as engine:
            return run_plays(engine, bind(load_playbook(self.folder / "play.yml"), inventory, emit=emit), emit)


def test_a_slow_host_holds_the_others_up(tmp_path: Path) -> None:
    world = World(tmp_path, zero="[ {{ inventory_hostname }} != n2 ] || sleep 0.3")
    outcome = world.run(faults={"n3": Fault(delay=0.05)})
    assert outcome.exit_code == ExitCode.DONE
    world.check_order()
    assert len(world.lines("end")) == 9
    assert len(world.lines("later")) == 3


def test_it_costs_no_time_to_wait(tmp_path: Path) -> None:
    world = World(tmp_path, "n[1:8]\n")
    began = time.monotonic()
    world.run()
    assert time.monotonic() - began < 60
    world.check_order()


def test_a_host_that_fails_drops_out(tmp_path: Path) -> None:
    world = World(tmp_path, zero="[ {{ inventory_hostname }} != n2 ] || exit 3")
    outcome = world.run()
    assert {host: found.state for host, found in outcome.hosts.items()} == {"n1": "done", "n2": "failed", "n3": "done"}
    world.check_order()
    assert sorted(world.lines("later")) == ["n1", "n3"]


def test_a_host_that_cannot_be_reached_drops_out(tmp_path: Path) -> None:
    world = World(tmp_path)
    outcome = world.run(faults={"n3": Fault(refuse="tcp")})
    assert outcome.hosts["n3"].state == "unreachable"
    assert outcome.exit_code == ExitCode.UNREACHABLE
    world.check_order()
    assert sorted(world.lines("later")) == ["n1", "n2"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", [None, Fault(refuse="auth")])
@pytest.mark.parametrize("setting", ["any_errors_fatal: true", "max_fail_percentage: 30"])
def test_a_fatal_failure_lets_the_others_finish_the_task(tmp_path: Path, setting: str, fault: Fault | None) -> None:
    fails = "[ {{ inventory_hostname }} != n1 ] || exit 3" if fault is None else ":"
    slow = "[ {{ inventory_hostname }} != n2 ] || sleep 0.3"
    world = World(tmp_path, setting=setting, zero=f"{fails}; {slow}")
    outcome = world.run(faults={"n1": fault} if fault else None)
    assert outcome.exit_code == ExitCode.FAILED
    assert (outcome.hosts["n2"].state, outcome.hosts["n3"].state) == ("interrupted", "interrupted")
    assert sorted(world.lines("end")) == ["n2 0", "n3 0"]
    assert setting.split(":")[0] in outcome.stopped
    assert setting.split(":")[0] in str(outcome.hosts["n3"].error)
    assert world.lines("later") == []


def test_more_hosts_than_the_window_holds(tmp_path: Path) -> None:
    world = World(tmp_path, "n[1:5]\n")
    outcome = world.run(forks=2)
    assert outcome.exit_code == ExitCode.DONE
    assert world.transport
    assert world.transport.most <= 2
    world.check_order()
    assert len(world.lines("end")) == 15


def test_ctrl_c_while_hosts_wait_and_resume(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    world = World(
        tmp_path, zero=f"[ {{{{ inventory_hostname }}}} != n2 ] || while [ ! -e {gate} ]; do sleep 0.02; done"
    )

    def stop(engine: Engine, event: Event) -> None:
        """Two hosts have finished the task and wait for the third one, which is in the middle of it."""
        if isinstance(event, TaskFinished) and len(world.lines("end")) == 2 and not engine.interrupted:
            threading.Thread(target=lambda: (engine.stop(), gate.touch()), daemon=True).start()

    journal = Journal.start(RunInfo("run", {}, ""), tmp_path / "runs")
    outcome = world.run(journal=journal, watch=stop)
    journal.close()
    assert outcome.exit_code == ExitCode.INTERRUPTED
    assert {found.state for found in outcome.hosts.values()} == {"interrupted"}
    assert sorted(world.lines("begin")) == ["n1 0", "n2 0", "n3 0"]
    assert sorted(world.lines("end")) == ["n1 0", "n2 0", "n3 0"]

    again, _ = Journal.resume("last", "run", tmp_path / "runs")
    outcome = world.run(journal=again)
    again.close()
    assert outcome.exit_code == ExitCode.DONE
    world.check_order()
    assert sorted(world.lines("end")) == sorted(f"n{host} {task}" for host in (1, 2, 3) for task in (0, 1, 2))


def test_over_real_ssh(tmp_path: Path, sshd: Sshd) -> None:  # noqa: F811
    world = World(tmp_path, zero="[ {{ inventory_hostname }} != n2 ] || sleep 0.3")
    outcome = world.run(targets={host: sshd.target(name=host) for host in ("n1", "n2", "n3")})
    assert outcome.exit_code == ExitCode.DONE, outcome
    world.check_order()
    assert len(world.lines("end")) == 9
