"""One paragraph that says how a node stands and what to do next."""

from __future__ import annotations

import pytest

from coreops.errors import UnreachableError
from coreops.upgrade.explain import explain
from coreops.upgrade.ledger.protocol import Denial, Lease
from coreops.upgrade.observation import Ticket
from coreops.upgrade.protocol import ROLLOUT
from tests.upgrade.samples import seen

TICKET = Ticket(run="r7", version="1.1.0", sha256="", slot="USR-B", boot_id="b1", stage="activated")
DEAD = Lease(node="n1", run="r7", owner="me@ci-4", alive=False, silent=720, phase="reboot")


def test_what_a_dead_controller_left() -> None:
    said = explain("n1", seen("1.0.0", ticket=TICKET, drained=True, next="USR-B"), [DEAD], last="reboot for 2 s")
    assert (
        "Run r7 left it on the way to 1.1.0: the new slot was made the next to boot; it has not rebooted since." in said
    )
    assert "me@ci-4 (run r7)" in said
    assert "silent for 12 min" in said
    assert "The next boot goes to USR-B." in said
    assert said.endswith("Next: coreops resume finishes what was under way.")


def test_a_living_controller_is_left_to_it() -> None:
    said = explain("n1", seen("1.0.0"), [Lease(node=ROLLOUT, run="r7", owner="me@ci-4", alive=True)])
    assert said.endswith("or ask it to end with coreops abort.")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"staged": "a" * 64, "passive_version": "1.1.0"}, "1.1.0 is staged in USR-B"),
        ({"good": False}, "not marked good"),
        ({"cordoned": True}, "An operator has cordoned it"),
        ({"failed_units": ("x.service",)}, "Failed units: x.service."),
        ({"blockers": ("locksmithd reboots it",)}, "Next: remove what blocks it"),
    ],
)
def test_what_the_node_says(other: dict[str, object], words: str) -> None:
    assert words in explain("n1", seen("1.0.0", **other))


def test_silence_and_denials() -> None:
    denial = Denial(version="1.1.0", node="n1", reason="etcd did not start", by="me", run="r", at="")
    said = explain("n1", UnreachableError("tcp", "connection refused"), denials=[denial])
    assert "n1 gives no answer: connection refused." in said
    assert "1.1.0 is denied: etcd did not start." in said
    assert said.endswith("look at its console and the network.")


def test_a_ledger_that_does_not_answer_hides_nothing_else() -> None:
    text = explain("n1", seen("1.0.0"), unread="etcd gave no answer")
    assert text.startswith("n1 runs 1.0.0 from USR-A")
    assert "is not known: etcd gave no answer" in text
    assert "Nothing is under way" not in text
