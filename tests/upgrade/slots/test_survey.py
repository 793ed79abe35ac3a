"""The node's answer as an Observation, and what speaks against an upgrade. No node."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import HostFailed
from coreops.model import Record
from coreops.upgrade.observation import Ticket
from coreops.upgrade.slots import survey, ticket

ANSWER = """\
boot_id b1
machine_id m1
uptime 12.50
version 1.0.0
board
board
arch x86_64
kind gptprio
tool cgpt
damaged
slot 3 1 0 1
slot 4 0 0 0
booted 3 USR-A
passive 4 USR-B
passive_size 268435456
"""


def read(more: str = "", **changed: str) -> survey.Observation:
    lines = [line for line in ANSWER.splitlines() if line.split(" ")[0] not in changed]
    lines += [f"{key} {line}" for key, value in changed.items() for line in value.splitlines()]
    return survey.read(Record("s", "ok", stdout="\n".join([*lines, more]).encode()))


def unit(name: str, active: str = "active", load: str = "loaded") -> str:
    return f"unit Id={name}\nunit LoadState={load}\nunit ActiveState={active}\nunit UnitFileState=enabled\nunit \n"


def test_a_fresh_node() -> None:
    seen = read()
    assert (seen.slot, seen.passive, seen.next, seen.good, seen.fallback) == ("USR-A", "USR-B", "USR-A", True, False)
    assert (seen.machine_id, seen.boot_id, seen.version, seen.board) == ("m1", "b1", "1.0.0", "amd64-usr")
    assert (seen.passive_size, seen.uptime, seen.blockers, seen.ticket) == (268435456, 12.5, (), None)


@pytest.mark.parametrize(
    ("arch", "board", "expected"),
    [("aarch64", "", "arm64-usr"), ("riscv64", "", "riscv64-usr"), ("x86_64", "amd64-special", "amd64-special")],
)
def test_board(arch: str, board: str, expected: str) -> None:
    assert read(arch=arch, board=board).board == expected


def test_failed_units_keep_their_odd_names() -> None:
    seen = read("failed b@x\\x2dy.service\nfailed a.service\nfailed a.service")
    assert seen.failed_units == ("a.service", "b@x\\x2dy.service")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (unit("update-engine.service", "inactive"), "mask --now update-engine"),
        (unit("update-engine.service", "active", "masked"), "mask --now update-engine"),
        (unit("locksmithd.service"), "REBOOT_STRATEGY=reboot"),
        (unit("locksmithd.service") + "strategy off\nstrategy etcd-lock", "REBOOT_STRATEGY=etcd-lock"),
        ("coordinator NAME=other\ncoordinator STATE=running", "other has taken charge"),
        (unit("zincati.service"), "Zincati upgrades it"),
        (unit("rauc-hawkbit-updater.service"), "hawkBit"),
        ("agent kured\nagent kured", "kured may reboot it"),
        ("agent update-agent", "update operator"),
        ("pending /run/reboot-required", "/run/reboot-required"),
        ("readonly /var/lib", "/var/lib cannot be written"),
        ("damaged Main header: ERROR", "primary partition table is damaged (Main header: ERROR)"),
    ],
)
def test_blockers(more: str, says: str) -> None:
    (blocker,) = read(more).blockers
    assert says in blocker


@pytest.mark.parametrize(
    "more",
    [
        unit("update-engine.service", "inactive", "masked") + unit("zincati.service", "inactive"),
        unit("update-engine.service", "inactive", "not-found"),
        unit("locksmithd.service") + "strategy etcd-lock\nstrategy off",
        unit("locksmithd.service", "inactive"),
        "coordinator NAME=locksmithd\ncoordinator STATE=disabled\ncoordinator STRATEGY=off",
    ],
)
def test_no_blockers(more: str) -> None:
    assert read(more).blockers == ()


def test_bits_that_are_not_coreops_s() -> None:
    seen = read(slot="3 1 0 1\n4 2 1 0")
    assert seen.next == "USR-B"
    assert "USR-B boots next, and coreops did not arrange that" in seen.blockers[0]
    assert "no slot would boot" in read(slot="3 0 0 1\n4 2 0 0").blockers[0]
    alone = read(slot="3 1 0 1", passive="")
    assert (alone.passive, alone.fallback) == ("", False)
    assert "no second slot" in alone.blockers[0]


def test_an_answer_that_is_none() -> None:
    with pytest.raises(HostFailed, match="no partition of its own"):
        survey.read(Record("s", "failed", rc=2, stderr=b"/usr is no partition of its own: look\n"))
    with pytest.raises(HostFailed, match="cut off"):
        survey.read(Record("s", "ok", stdout=ANSWER[:40].encode()))
    with pytest.raises(HostFailed, match="ticket: 'run' is missing"):
        read("ticket {}")


texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)
tickets = st.builds(
    Ticket,
    run=texts,
    version=texts,
    sha256=texts,
    slot=texts,
    boot_id=texts,
    stage=st.sampled_from(["activated", "good", "rolling back"]),
    failed_units=st.lists(texts, max_size=3).map(tuple),
)


@given(tickets)
def test_a_ticket_comes_back_as_it_was(given_ticket: Ticket) -> None:
    text = ticket.to_text(given_ticket)
    assert ticket.from_text(text) == given_ticket
    assert text.count('\n "stage": "') == 1


@given(st.text(max_size=60) | st.sampled_from(["[]", '{"run": 1}', "null", '{"run": "r", "version": []}']))
def test_a_ticket_that_is_none_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        ticket.from_text(text)
