"""The paragraph about a holder, and the next command in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coreops.errors import UnreachableError
from coreops.model import Record
from coreops.upgrade.ledger.explain import Look, explain, look_step, read_look
from coreops.upgrade.ledger.protocol import Lease
from tests.support.shells import EACH_SHELL, run_steps

LEASE = Lease(
    node="n2", run="7f3", owner="ci@ci-4", pid=12, session="s", boot_id="b1", reason="upgrade to 1.1.0",
    since="2026-01-01T00:00:00Z", token=9, phase="reboot", alive=False, silent=725,
)  # fmt: skip


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_a_node_says_what_it_is(shell: str) -> None:
    program, _ = run_steps([look_step()], shell)
    look = read_look(program.records["ledger-look"])
    assert len(look.boot_id) == 36
    assert look.version


def test_a_dead_controller_is_explained() -> None:
    text = explain(LEASE, Look("b2", "1.1.0", "USR-B", 9), "my inventory")
    for part in ("ci@ci-4 (run 7f3, process 12, token 9)", "silent for 12 min", '"reboot"', "has rebooted since",
                 "it runs 1.1.0 from USR-B", "on ci@ci-4: coreops resume 7f3;", "-i 'my inventory'"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    ("lease", "look", "part"),
    [
        (LEASE, Look("b1"), "has not rebooted since it was leased"),
        (LEASE, UnreachableError("tcp", "no route"), "cannot be reached now: no route"),
        (replace(LEASE, boot_id=""), Look("b1", "1.0.0"), "it runs 1.0.0."),
        (replace(LEASE, alive=True), Look("b1"), "coreops abort 7f3"),
        (replace(LEASE, format=2), Look("b1"), "newer coreops"),
        (replace(LEASE, run=""), Look("b1"), "coreops locks release n2"),
        (LEASE, Look("b1", fence=10), "rm /var/lib/coreops/upgrade/fence"),
        (replace(LEASE, node="@rollout"), None, "the rollout: leased by"),
    ],
)
def test_what_is_said(lease: Lease, look: Look | UnreachableError | None, part: str) -> None:
    assert part in explain(lease, look, "inv")


def test_an_answer_of_any_kind_is_read() -> None:
    assert read_look(Record("x", "failed", stdout=b"\xff\nfence x\nboot_id \n")) == Look()
