"""The simulated node: it boots as GRUB's rule says, and what coreops does to its slots never leaves it without one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coreops import gptprio
from coreops.upgrade.observation import Ticket
from coreops.upgrade.rehearse.images import BAD, GOOD, Image
from coreops.upgrade.rehearse.machine import Machine

OLD = Image("1.0.0", "old")
NEW = Image("1.1.0", "new")
bits = st.tuples(st.integers(0, 15), st.integers(0, 15), st.booleans())


def ticket(machine: Machine) -> Ticket:
    return Ticket(run="r", version="1.1.0", sha256="new", slot="B", boot_id=machine.boot_id, stage="activated")


def staged() -> Machine:
    machine = Machine("n1", OLD)
    machine.begin_staging()
    assert machine.end_staging(NEW)
    return machine


@given(bits, bits)
def test_it_boots_what_the_firmware_would(a, b):
    machine = Machine("n1", OLD)
    for slot, values in zip(machine.slots, (a, b), strict=True):
        slot.bits(*values)
    choice = gptprio.choose(
        [gptprio.Slot(3 + n, name, *values) for n, (name, values) in enumerate(zip("AB", (a, b), strict=True))]
    )
    assert machine.choice() == (None if choice is None else choice.slot.number - 3)
    if choice is not None:
        machine.start()
        assert machine.here.tries == choice.slot.tries


def test_a_staged_slot_is_inert():
    machine = staged()
    machine.start()
    assert machine.version == "1.0.0"
    assert machine.observe(0.0).staged == "new"


def test_an_activated_slot_boots_once():
    machine = staged()
    assert machine.activate(ticket(machine), "new") == ""
    assert machine.observe(0.0).next == "B"
    machine.start()
    assert (machine.version, machine.observe(0.0).good) == ("1.1.0", False)
    machine.start()
    assert machine.version == "1.0.0"


def test_a_proven_slot_stays_and_the_old_one_is_kept():
    machine = staged()
    machine.activate(ticket(machine), "new")
    machine.start()
    machine.mark_good()
    machine.start()
    seen = machine.observe(0.0)
    assert (seen.version, seen.good, seen.fallback) == ("1.1.0", True, True)


def test_going_back_needs_no_tries():
    machine = staged()
    machine.activate(ticket(machine), "new")
    machine.start()
    machine.mark_good()
    machine.roll_back(machine.ticket or ticket(machine))
    machine.start()
    assert (machine.version, machine.ticket and machine.ticket.stage) == ("1.0.0", "rolling back")
    machine.revert()
    assert machine.ticket is None
    assert machine.observe(0.0).next == "A"


def test_nothing_is_activated_that_was_not_staged():
    machine = Machine("n1", OLD)
    assert machine.activate(ticket(machine), "new")
    assert machine.ticket is None


def test_a_broken_image_is_not_staged():
    machine = Machine("n1", OLD)
    machine.begin_staging()
    assert not machine.end_staging(Image("1.1.0", "new", BAD["arrives broken"]))
    assert machine.observe(0.0).staged == ""


@given(st.lists(st.sampled_from(["stage", "activate", "boot", "good", "revert", "back"]), max_size=12))
def test_whatever_coreops_does_in_its_order_some_good_slot_is_left(acts):
    """With the coordinator's preconditions: stage and activate from a good slot, mark and go back in the new one."""
    machine = Machine("n1", OLD)
    for act in acts:
        if act == "stage" and machine.here.successful and machine.ticket is None:
            machine.begin_staging()
            machine.end_staging(NEW)
        elif act == "activate" and machine.staged and machine.here.successful and machine.booted == 0:
            machine.activate(ticket(machine), "new")
        elif act == "boot":
            machine.start()
        elif act == "good" and machine.booted == 1:
            machine.mark_good()
        elif act == "revert" and machine.booted == 0:
            machine.revert()
        elif act == "back" and machine.booted == 1:
            machine.roll_back(ticket(machine))
        assert any(slot.known_good for slot in machine.slots), (act, [str(slot) for slot in machine.slots])


def test_only_a_good_release_is_good():
    assert GOOD.good
    assert {name for name, behaviour in BAD.items() if behaviour.good} == {"boots slower than anybody waits"}
