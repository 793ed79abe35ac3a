from __future__ import annotations

from dataclasses import replace

import pytest

from coreops.engine.program import Program
from coreops.engine.steps import StepsProgram
from coreops.errors import HostFailed
from coreops.model import Record, Segment, ShellStep
from coreops.store import observe
from coreops.store.audit import Look, nodes
from coreops.store.cluster import Member

MEMBER = Member("n1", "10.0.0.1")
ANSWER = Record(observe.STEP, "ok", stdout=b"time 100.5\nuid 0\narch x86_64\n")


def test_the_question_travels_with_the_playbook_s_first_segment() -> None:
    inner = StepsProgram([ShellStep(id="a", title="a", probe="exit 1")], check=True, diff=True)
    look: Program = Look(MEMBER, inner)
    segment = look.next()
    assert isinstance(segment, Segment)
    assert [step.id for step in segment.steps] == [observe.STEP, "a"]
    assert segment.check
    assert segment.diff
    look.feed(ANSWER)
    look.feed(Record("a", "would"))
    assert inner.records["a"].state == "would"
    assert look.next() is None


def test_a_look_alone_is_one_segment_and_knows_when_it_was_asked() -> None:
    times = iter([100.0, 101.0])
    look = Look(MEMBER, clock=lambda: next(times))
    segment = look.next()
    assert isinstance(segment, Segment)
    look.feed(ANSWER)
    assert look.next() is None
    assert nodes([look])["n1"].clock == observe.Clock(-0.5, 0.5)


def test_a_segment_for_another_user_waits_for_its_turn() -> None:
    look = Look(MEMBER, StepsProgram([ShellStep(id="a", title="a", probe="exit 1")], user="core"))
    first = look.next()
    assert isinstance(first, Segment)
    assert [step.id for step in first.steps] == [observe.STEP]
    look.feed(ANSWER)
    second = look.next()
    assert isinstance(second, Segment)
    assert (second.user, [step.id for step in second.steps]) == ("core", ["a"])


def test_of_a_known_node_only_the_clock_is_asked_for() -> None:
    known = observe.Node(host="n1", uid=7, clock=observe.Clock(-9, 9))
    times = iter([100.0, 100.25])
    look = Look(MEMBER, known=known, clock=lambda: next(times))
    segment = look.next()
    assert isinstance(segment, Segment)
    assert segment.steps[0].probe == "date +%s.%N"  # type: ignore[union-attr]
    look.feed(Record(observe.STEP, "ok", stdout=b"100.125\n"))
    assert nodes([look])["n1"] == replace(known, clock=observe.Clock(-0.125, 0.125))
    failed = Look(MEMBER, known=known)
    failed.next()
    with pytest.raises(HostFailed, match="clock could not be read"):
        failed.feed(Record(observe.STEP, "failed", rc=127, stderr=b"no date"))


def test_what_fails_in_the_playbook_does_not_fail_the_look() -> None:
    look = Look(MEMBER, StepsProgram([ShellStep(id="a", title="make it", probe="exit 1")]))
    look.next()
    look.feed(ANSWER)
    look.feed(Record("a", "failed", rc=1, stderr=b"no"))
    assert look.failure is None
    assert look.inner_failure == "make it: no"
    assert look.next() is None
    look.abandon()
    assert not look.failed_fatally
