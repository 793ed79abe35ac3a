"""What every slot driver must do, on whatever machine: subclass ``SlotConformance`` and give it a ``rig``.

The rig is a node with release 1.0.0 in its only good slot, switched on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from coreops.engine.program import Program, Wait
from coreops.model import Record, ShellStep
from coreops.upgrade.guard import Guard, failure_kind
from coreops.upgrade.observation import Observation, Ticket
from coreops.upgrade.release import Release
from coreops.upgrade.slots.protocol import SlotDriver


class Rig(Protocol):
    """A node and the way to it."""

    driver: SlotDriver

    def release(self, version: str) -> tuple[Release, Path]:
        """An image of that version that boots."""

    def step(self, step: ShellStep) -> Record:
        """Do a step on the node."""

    def reboot(self) -> None:
        """Have the node go down, by the driver's own means or by power, and wait until it is back."""


def survey(rig: Rig) -> Observation:
    return rig.driver.read(rig.step(rig.driver.survey()))


def done(rig: Rig, step: ShellStep) -> None:
    record = rig.step(step)
    assert record.state in ("ok", "changed"), record.stderr.decode()


def run(rig: Rig, program: Program, watch: Callable[[ShellStep], None] = lambda step: None) -> str | None:
    """Drive a program to its end; why it failed, or None."""
    while (segment := program.next()) is not None and not isinstance(segment, Wait):
        for step in segment.steps:
            assert isinstance(step, ShellStep)
            watch(step)
            record = rig.step(step)
            program.feed(record)
            if record.state == "failed":
                return program.failure
    return program.failure


def stage(rig: Rig, version: str = "1.1.0") -> tuple[Release, Ticket]:
    """Stage a release; returns the ticket that activates it."""
    release, image = rig.release(version)
    seen = survey(rig)
    assert run(rig, rig.driver.stage(release, image, Guard(seen.boot_id, 5))) is None
    ticket = Ticket(
        run="r1",
        version=version,
        sha256=release.sha256,
        slot=seen.passive,
        boot_id=seen.boot_id,
        stage="activated",
        failed_units=("a.service", "b@x\\x2dy.service"),
    )
    return release, ticket


def guard(rig: Rig) -> Guard:
    return Guard(survey(rig).boot_id, 5)


class SlotConformance:
    def test_a_staged_slot_is_inert(self, rig: Rig) -> None:
        before = survey(rig)
        assert (before.version, before.good, before.next, before.staged) == ("1.0.0", True, before.slot, "")
        assert before.ticket is None
        assert before.blockers == ()
        release, _ = stage(rig)
        seen = survey(rig)
        assert (seen.staged, seen.passive_version) == (release.sha256, "1.1.0")
        assert (seen.next, seen.fallback, seen.ticket) == (seen.slot, False, None)
        rig.reboot()
        after = survey(rig)
        assert (after.slot, after.version, after.staged) == (before.slot, "1.0.0", release.sha256)
        assert after.boot_id != before.boot_id

    def test_staging_again_sends_nothing(self, rig: Rig) -> None:
        release, _ = stage(rig)
        sent = []
        told: list[tuple[int, int]] = []
        program = rig.driver.stage(release, rig.release("1.1.0")[1], guard(rig), lambda *each: told.append(each))
        assert run(rig, program, lambda step: sent.append(step) if step.stdin else None) is None
        assert sent == []
        assert told == [(release.size, release.size)]

    def test_activated_it_boots_once_and_falls_back_by_itself(self, rig: Rig) -> None:
        _, ticket = stage(rig)
        for _ in range(2):
            done(rig, rig.driver.activate(ticket, guard(rig)))
            seen = survey(rig)
            assert (seen.next, seen.ticket, seen.good) == (seen.passive, ticket, True)
        rig.reboot()
        new = survey(rig)
        assert (new.slot, new.version, new.ticket) == (ticket.slot, "1.1.0", ticket)
        assert (new.good, new.fallback, new.next, new.passive_version) == (False, True, new.passive, "1.0.0")
        rig.reboot()
        back = survey(rig)
        assert (back.slot, back.version, back.next, back.ticket) == (new.passive, "1.0.0", new.passive, ticket)

    def test_marked_good_it_stays_and_the_old_slot_stays_good(self, rig: Rig) -> None:
        _, ticket = stage(rig)
        done(rig, rig.driver.activate(ticket, guard(rig)))
        rig.reboot()
        for _ in range(2):
            done(rig, rig.driver.mark_good(guard(rig)))
            seen = survey(rig)
            assert (seen.good, seen.fallback, seen.next) == (True, True, ticket.slot)
            assert seen.ticket == replace(ticket, stage="good")
        for _ in range(2):
            done(rig, rig.driver.finish(guard(rig)))
            assert survey(rig).ticket is None
        rig.reboot()
        seen = survey(rig)
        assert (seen.slot, seen.version, seen.good, seen.passive_version) == (ticket.slot, "1.1.0", True, "1.0.0")

    def test_reverted_it_never_boots(self, rig: Rig) -> None:
        _, ticket = stage(rig)
        done(rig, rig.driver.activate(ticket, guard(rig)))
        for _ in range(2):
            done(rig, rig.driver.revert(guard(rig)))
            seen = survey(rig)
            assert (seen.next, seen.ticket, seen.good) == (seen.slot, None, True)
        rig.reboot()
        assert survey(rig).version == "1.0.0"

    @pytest.mark.parametrize("good", [False, True])
    def test_rolled_back_the_old_slot_boots_and_the_new_one_is_inert(self, rig: Rig, good: bool) -> None:
        _, ticket = stage(rig)
        done(rig, rig.driver.activate(ticket, guard(rig)))
        rig.reboot()
        if good:
            done(rig, rig.driver.mark_good(guard(rig)))
        for _ in range(2):
            done(rig, rig.driver.roll_back(guard(rig)))
            seen = survey(rig)
            assert (seen.slot, seen.next, seen.fallback) == (ticket.slot, seen.passive, True)
            assert seen.ticket is not None
            assert (seen.ticket.stage, seen.ticket.boot_id) == ("rolling back", seen.boot_id)
        rig.reboot()
        seen = survey(rig)
        assert (seen.version, seen.good, seen.fallback, seen.next) == ("1.0.0", True, False, seen.slot)
        done(rig, rig.driver.roll_back(guard(rig)))
        assert survey(rig).ticket == seen.ticket
        done(rig, rig.driver.revert(guard(rig)))
        assert survey(rig).ticket is None

    def test_back_to_the_previous_version_without_an_image(self, rig: Rig) -> None:
        _, ticket = stage(rig)
        done(rig, rig.driver.activate(ticket, guard(rig)))
        rig.reboot()
        done(rig, rig.driver.mark_good(guard(rig)))
        done(rig, rig.driver.finish(guard(rig)))
        seen = survey(rig)
        back = Ticket(run="r2", version="0.9", sha256="", slot=seen.passive, boot_id=seen.boot_id, stage="activated")
        assert rig.step(rig.driver.activate(back, guard(rig))).state == "failed"
        assert survey(rig).ticket is None
        back = Ticket(run="r2", version="1.0.0", sha256="", slot=seen.passive, boot_id=seen.boot_id, stage="activated")
        for _ in range(2):
            done(rig, rig.driver.activate(back, guard(rig)))
            done(rig, rig.driver.revert(guard(rig)))  # not tried: as good as it was
            again = survey(rig)
            assert (again.next, again.fallback, again.passive_version) == (seen.slot, True, "1.0.0")
        done(rig, rig.driver.activate(back, guard(rig)))
        rig.reboot()
        assert (survey(rig).version, survey(rig).slot) == ("1.0.0", seen.passive)

    def test_what_would_be_wrong_is_refused(self, rig: Rig) -> None:
        release, ticket = stage(rig)
        other = Ticket(
            run="r", version="2", sha256="0" * 64, slot=ticket.slot, boot_id=ticket.boot_id, stage="activated"
        )
        for step in (
            rig.driver.activate(other, guard(rig)),
            rig.driver.activate(Ticket(**_words(ticket) | {"slot": survey(rig).slot}), guard(rig)),  # the booted one
            rig.driver.roll_back(guard(rig)),
        ):
            assert rig.step(step).state == "failed"
        seen = survey(rig)
        assert (seen.next, seen.ticket) == (seen.slot, None)
        done(rig, rig.driver.activate(ticket, guard(rig)))
        image = rig.release("1.1.0")[1]
        assert "under way" in (run(rig, rig.driver.stage(release, image, guard(rig))) or "")
        rig.reboot()
        assert "not marked good" in (run(rig, rig.driver.stage(release, image, guard(rig))) or "")
        assert rig.step(rig.driver.revert(guard(rig))).state == "failed"
        seen = survey(rig)
        assert (seen.slot, seen.fallback, seen.next) == (ticket.slot, True, seen.passive)

    def test_no_step_acts_in_another_boot_or_for_an_older_controller(self, rig: Rig) -> None:
        release, ticket = stage(rig)
        boot = survey(rig).boot_id
        for bad, kind in ((Guard("0" * 36, 9), "rebooted"), (Guard(boot, 4), "fenced")):
            for step in (
                rig.driver.activate(ticket, bad),
                rig.driver.mark_good(bad),
                rig.driver.revert(bad),
                rig.driver.roll_back(bad),
                rig.driver.finish(bad),
                rig.driver.reboot(bad),
            ):
                record = rig.step(step)
                assert (record.state, failure_kind(record)) == ("failed", kind)
            program = rig.driver.stage(release, rig.release("1.1.0")[1], bad)
            assert run(rig, program) is not None
        seen = survey(rig)
        assert (seen.boot_id, seen.next, seen.ticket) == (boot, seen.slot, None)


def _words(ticket: Ticket) -> dict[str, object]:
    return {name: getattr(ticket, name) for name in Ticket.__dataclass_fields__}
