"""The way to the nodes: single attempts, the record of a failure, hanging up under another thread."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from coreops.errors import CoreopsError, UnreachableError
from coreops.events import Event, Progress
from coreops.model import Blob, ShellStep, Target
from coreops.transport.fake import FakeTransport, Fault
from coreops.upgrade.cluster.asking import in_time
from coreops.upgrade.cluster.nodes import QUICK, StepFailed
from coreops.upgrade.guard import REBOOTED, failure_kind

from .conftest import MakeNodes


def step(script: str, id: str = "s") -> ShellStep:
    return ShellStep(id=id, title="a step", act=script)


def test_records_come_back_by_step(nodes: MakeNodes) -> None:
    records = nodes().ask("n1", [step("echo one", "a"), step("echo two", "b")])
    assert {id: record.stdout for id, record in records.items()} == {"a": b"one\n", "b": b"two\n"}


def test_a_failed_step_carries_its_record(nodes: MakeNodes) -> None:
    with pytest.raises(StepFailed, match="a newer boot") as caught:
        nodes().ask("n1", [step(f"echo 'a newer boot' >&2; exit {REBOOTED}")])
    assert failure_kind(caught.value.record) == "rebooted"
    assert caught.value.where == "n1"


def test_after_a_failure_the_next_question_is_a_new_attempt(nodes: MakeNodes, hosts: FakeTransport) -> None:
    asked = nodes(n1=Fault(drop_before=b"gone", times=1))
    with pytest.raises(UnreachableError):
        asked.ask("n1", [step("echo gone")])
    assert hosts.attempts["n1"] == 1, "trying again is the coordinator's"
    assert asked.ask("n1", [step("echo here")])["s"].stdout == b"here\n"
    assert hosts.attempts["n1"] == 2


def test_hanging_up_ends_what_another_thread_waits_for(nodes: MakeNodes) -> None:
    asked, ended = nodes(), threading.Event()
    errors: list[CoreopsError] = []
    begun = threading.Event()

    def wait() -> None:
        try:
            asked.run("n1", Announced(begun))
        except CoreopsError as error:
            errors.append(error)
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    assert begun.wait(60)
    since = time.monotonic()
    while not ended.is_set() and time.monotonic() - since < 60:
        asked.hang_up("n1")
        ended.wait(0.1)
    assert ended.is_set()
    assert isinstance(errors[0], UnreachableError)


def test_all_are_asked_at_the_same_time_and_each_has_an_answer(nodes: MakeNodes) -> None:
    asked = nodes(n2=Fault(refuse="tcp"))
    found = asked.ask_all({name: [step("echo here; exit 3")] for name in ("n1", "n2", "n3")})
    assert isinstance(found["n2"], UnreachableError)
    assert [found[name]["s"].rc for name in ("n1", "n3")] == [3, 3]  # type: ignore[index]


def test_a_node_that_reboots_gets_short_attempts_until_it_is_back(nodes: MakeNodes) -> None:
    asked = nodes()
    whole = asked._engine.targets["n1"].connect_timeout
    asked.expect_back("n1")
    assert asked._engine.targets["n1"].connect_timeout == min(QUICK, whole)
    asked.is_back("n1")
    assert asked._engine.targets["n1"].connect_timeout == whole


@pytest.mark.parametrize(("own", "quick"), [(15.0, 3.0), (2.0, 2.0), (60.0, 12.0)])
def test_short_attempts_are_longer_where_nodes_are_slow(own: float, quick: float) -> None:
    assert in_time(Target("n1", "10.0.0.1", connect_timeout=own), QUICK, 5).connect_timeout == quick


def test_of_the_engines_events_only_transfers_are_told_as_parts_of_the_whole(nodes: MakeNodes, tmp_path: Path) -> None:
    told: list[Event] = []
    path = tmp_path / "image"
    path.write_bytes(b"x" * (3 << 20))
    asked = nodes(told.append)
    asked.part_of("n1", 5 << 20, 8 << 20)
    asked.ask("n1", [ShellStep(id="s", title="t", act='wc -c <"$blob1"', blobs=(Blob.from_file(path),))])
    assert all(isinstance(event, Progress) for event in told)
    done = [event.done for event in told if isinstance(event, Progress)]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (5 << 20, 8 << 20)
    assert {event.total for event in told if isinstance(event, Progress)} == {8 << 20}


class Announced:
    """A program of one step that never ends, and says when it was sent."""

    failure = None
    failed_fatally = False

    def __init__(self, begun: threading.Event) -> None:
        self._begun = begun
        self._sent = False

    def next(self):  # type: ignore[no-untyped-def]
        from coreops.model import Segment

        if self._sent:
            return None
        self._sent = True
        return Segment("long", (step("echo", "first"), step("sleep 600", "long")))

    def feed(self, record: object) -> None:
        self._begun.set()

    def abandon(self) -> None: ...
