"""Nobody who is left behind stays unnamed."""

from __future__ import annotations

import pytest

from coreops.errors import CoreopsError, HostFailed, UnreachableError
from coreops.upgrade.auditing import Row, audit, exit_code
from coreops.upgrade.observation import Observation, Ticket
from tests.upgrade.samples import BOARD, release, seen

RELEASES = [release(version) for version in ("1.0.0", "1.1.0", "1.2.0")]
WANTED = {BOARD: "1.2.0"}
AWAY = UnreachableError("tcp", "connection refused", why="10.0.0.1 port 22")


def one(found: Observation | CoreopsError, denied: tuple[str, ...] = ()) -> Row:
    return audit({"n1": found}, WANTED, RELEASES, denied)[0]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (seen("1.0.0"), "behind by 2 releases"),
        (seen("1.1.0"), "behind by 1 release"),
        (seen("1.1.5"), "behind by 1 release"),
        (seen(""), "cannot be compared"),
        (seen("1.2.0", next="USR-B"), "reboot pending: USR-B boots next"),
        (seen("1.2.0", good=False), "not marked good"),
        (seen("1.2.0", drained=True), "drained"),
        (seen("1.2.0", board="arm64-usr"), "nothing for its board"),
        (
            seen(
                "1.2.0",
                ticket=Ticket(run="r7", version="1.2.0", sha256="", slot="USR-B", boot_id="b", stage="good"),
            ),
            "run r7",
        ),
        (HostFailed("its slots cannot be told", why="no disk"), "no disk"),
    ],
)
def test_stragglers_are_named(found: Observation | CoreopsError, said: str) -> None:
    row = one(found)
    assert not row.well
    assert said in "; ".join(row.what)
    assert exit_code([row]) == 1


def test_a_denied_version_that_runs_is_a_straggler() -> None:
    row = one(seen("1.2.0"), denied=("1.2.0",))
    assert (row.well, row.what) == (False, ("1.2.0 is denied",))


@pytest.mark.parametrize("found", [seen("1.2.0"), seen("1.2.0", cordoned=True), seen("1.3.0")])
def test_what_is_well(found: Observation) -> None:
    assert one(found).well


def test_only_silence_is_exit_3_and_a_straggler_beats_it() -> None:
    rows = audit({"n1": seen("1.2.0"), "n2": AWAY}, WANTED, RELEASES)
    assert [row.well for row in rows] == [True, False]
    assert exit_code(rows) == 3
    assert exit_code([*rows, one(seen("1.0.0"))]) == 1
    assert exit_code([one(seen("1.2.0"))]) == 0


def test_without_a_channel_the_newest_of_the_fleet_is_what_could_be() -> None:
    rows = audit({"n1": seen("1.9.0"), "n2": seen("1.10.0"), "n3": seen("1.10.0")}, {})
    assert [(row.wanted, row.well) for row in rows] == [("1.10.0", False), ("1.10.0", True), ("1.10.0", True)]
