"""Many hosts: the window, waiting for each other, failure budgets of plays, exit codes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from coreops.engine.engine import Engine, HostOutcome
from coreops.engine.limits import default_forks
from coreops.engine.plays import exit_code, run_plays
from coreops.engine.program import Wait
from coreops.engine.session import HostSession
from coreops.engine.steps import StepsProgram
from coreops.errors import ExitCode, HostFailed, UnreachableError
from coreops.events import HostFinished, HostUnreachable
from coreops.model import ShellStep, Target
from tests.support.shells import ShellTransport, new_run


class Hosts:
    """An engine over local shells; hosts named ``dead*`` refuse connections."""

    def __init__(self, names, forks=None):
        self.events: list = []
        self.transport = _Transport()
        targets = {name: Target(name, name) for name in names}
        self.engine = Engine(targets, self.events.append, run=new_run(), transport=self.transport, forks=forks)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.engine.close()
        self.transport.close()


class _Transport(ShellTransport):
    def __init__(self):
        super().__init__()
        self.open_now = 0
        self.most_open = 0
        self._lock = threading.Lock()

    def open(self, target, command):
        if target.name.startswith("dead"):
            raise UnreachableError("tcp", "connection refused", where=target.name, next="start sshd")
        connection = super().open(target, command)
        with self._lock:
            self.open_now += 1
            self.most_open = max(self.most_open, self.open_now)
        close = connection.close

        def counted():
            close()
            connection.close = close
            with self._lock:
                self.open_now -= 1

        connection.close = counted
        return connection


def sh(act, **fields):
    return StepsProgram([ShellStep(id="1", title="t", act=act, **fields)])


def test_the_window_bounds_open_connections():
    names = [f"h{n}" for n in range(12)]
    with Hosts(names, forks=3) as hosts:
        outcomes = hosts.engine.drive({name: sh("true") for name in names})
        assert list(outcomes) == names
        assert {outcome.state for outcome in outcomes.values()} == {"done"}
        assert hosts.transport.most_open <= 3


def test_connections_stay_open_between_drives():
    with Hosts(["h"]) as hosts:
        for _ in range(3):
            assert hosts.engine.drive({"h": sh("true")})["h"].exchanges == 1
        assert len(hosts.transport.connections) == 1


def test_every_host_ends_in_a_state():
    with Hosts(["good", "bad", "dead"]) as hosts:
        outcomes = hosts.engine.drive({"good": sh("true"), "bad": sh("exit 3"), "dead": sh("true")})
        assert {host: outcome.state for host, outcome in outcomes.items()} == {
            "good": "done",
            "bad": "failed",
            "dead": "unreachable",
        }
        assert exit_code(outcomes, interrupted=False) == ExitCode.FAILED
        unreachable = [event for event in hosts.events if isinstance(event, HostUnreachable)]
        assert [(event.host, event.kind, event.message, event.next) for event in unreachable] == [
            ("dead", "tcp", "connection refused", "start sshd")
        ]
        assert sum(isinstance(event, HostFinished) for event in hosts.events) == 3


class Waiting:
    """Waits until another program has records."""

    def __init__(self, other, name):
        self._other, self._name, self._inner = other, name, sh("true")

    def next(self):
        return self._inner.next() if self._other.records else Wait(frozenset({self._name}), "its result")

    failed_fatally = False

    def abandon(self):
        pass

    def feed(self, record):
        self._inner.feed(record)

    @property
    def failure(self):
        return self._inner.failure


def test_a_host_can_wait_for_another_one_even_in_a_window_of_one():
    first = sh("sleep 0.2")
    with Hosts(["a", "b"], forks=1) as hosts:
        outcomes = hosts.engine.drive({"a": Waiting(first, "b"), "b": first})
        assert {outcome.state for outcome in outcomes.values()} == {"done"}


def test_waiting_for_a_host_that_failed_ends():
    dead = sh("true")
    with Hosts(["a", "dead"]) as hosts:
        outcomes = hosts.engine.drive({"a": Waiting(dead, "dead"), "dead": dead})
        assert outcomes["a"].state == "failed"
        assert isinstance(outcomes["a"].error, HostFailed)
        assert "waits for dead" in str(outcomes["a"].error)


@dataclass
class FakePlay:
    groups: list
    acts: dict = field(default_factory=dict)
    name: str = "play"
    any_errors_fatal: bool = False
    max_fail_percentage: float | None = None

    @property
    def hosts(self):
        return tuple(host for group in self.groups for host in group)

    def batches(self):
        return self.groups

    def program(self, host, batch_hosts):
        return sh(self.acts.get(host, "true"))


def plays(hosts, *given):
    with Hosts(hosts) as world:
        return run_plays(world.engine, given, world.events.append)


def test_a_failed_host_takes_no_part_in_later_plays():
    outcome = plays(["a", "b"], FakePlay([("a", "b")], {"a": "exit 1"}), FakePlay([("a", "b")]))
    assert {host: found.state for host, found in outcome.hosts.items()} == {"a": "failed", "b": "done"}
    assert outcome.stopped == ""


@pytest.mark.parametrize(
    ("play", "stopped"),
    [
        (FakePlay([("a", "b"), ("c",)], {"a": "exit 1"}, max_fail_percentage=49), "more than max_fail_percentage 49"),
        (FakePlay([("dead", "b"), ("c",)], max_fail_percentage=49), "more than max_fail_percentage 49"),
        (FakePlay([("a", "b"), ("c",)], {"a": "exit 1"}, any_errors_fatal=True), "any_errors_fatal"),
        (FakePlay([("a",), ("c",)], {"a": "exit 1"}), "all hosts of the batch failed"),
    ],
)
def test_a_batch_over_its_budget_stops_the_run(play, stopped):
    outcome = plays(["a", "b", "c", "dead"], play)
    assert stopped in outcome.stopped
    assert "c" not in outcome.hosts


def test_a_batch_within_its_budget_goes_on():
    play = FakePlay([("a", "b"), ("c",)], {"a": "exit 1"}, max_fail_percentage=50)
    outcome = plays(["a", "b", "c"], play)
    assert outcome.hosts["c"].state == "done"


def test_two_names_of_one_machine_act_each_for_themselves(tmp_path):
    with Hosts(["a", "b"], forks=1) as hosts:
        outcomes = hosts.engine.drive({name: sh(f"echo x >> {tmp_path}/log", once=True) for name in ("a", "b")})
    assert {outcome.state for outcome in outcomes.values()} == {"done"}
    assert (tmp_path / "log").read_text() == "x\nx\n"


def test_a_fatal_failure_stops_the_others_after_their_current_step(tmp_path, monkeypatch):
    fatal = sh(f"while [ ! -e {tmp_path}/begun ]; do sleep 0.05; done; exit 1")
    fatal.failed_fatally = True
    long = StepsProgram(
        [
            ShellStep(
                id="1", title="t", act=f"touch {tmp_path}/begun; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
            ),
            ShellStep(id="2", title="t", act="true"),
        ]
    )
    stop = HostSession.stop

    def stop_and_go(session):
        stop(session)
        if session.target.name == "b":
            (tmp_path / "go").touch()

    monkeypatch.setattr(HostSession, "stop", stop_and_go)
    with Hosts(["a", "b"]) as hosts:
        outcomes = hosts.engine.drive({"b": long, "a": fatal})
    assert (outcomes["a"].state, outcomes["b"].state) == ("failed", "interrupted")
    assert list(long.records) == ["1"]


def test_exit_codes():
    def code(*states, interrupted=False):
        return exit_code({str(n): HostOutcome(state) for n, state in enumerate(states)}, interrupted=interrupted)

    assert code("done") == 0
    assert code("done", "unreachable") == 3
    assert code("failed", "unreachable") == 1
    assert code("failed", "interrupted") == 1
    assert code("failed", "interrupted", interrupted=True) == 5


def test_default_window_is_sane():
    assert 1 <= default_forks() <= 256


def test_a_bug_in_a_program_reaches_the_caller_as_it_is():
    class Broken(StepsProgram):
        def feed(self, record):
            raise ZeroDivisionError("a bug")

    transport = ShellTransport("dash")
    target = {"h": Target("h", "h")}
    with (
        Engine(target, lambda event: None, run=new_run(), transport=transport) as engine,
        pytest.raises(ZeroDivisionError, match="a bug"),
    ):
        engine.drive({"h": Broken([ShellStep(id="s", title="s", act="true")])})
    transport.close()
