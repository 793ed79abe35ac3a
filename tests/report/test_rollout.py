"""A rollout as people see it: the timeline page and the live table, from the same events."""

from __future__ import annotations

import re

import pytest

from coreops import events as ev
from coreops.report.rollout_html import Timeline, page
from coreops.report.rollout_live import choose_rows, table
from coreops.report.rollout_tally import RolloutTally

TURN = ["lease", "gate", "drain", "gate", "activate", "reboot", "return", "check", "mark good", "undrain", "release"]


def rollout(hosts=("n1", "n2"), *, last="done", why="") -> RolloutTally:
    """One node after the other, a second a phase."""
    tally, now = RolloutTally(), 0.0
    tally.apply(ev.RolloutPlanned("r1", "1.1.0", tuple(hosts), 1, 1), now)
    for host in hosts:
        for phase in TURN:
            now += 1
            tally.apply(ev.NodePhase(host, phase, "USR-A", "1.0.0", ""), now)
        now += 1
        tally.apply(ev.StoreHealth(3, 2, "n3"), now)
        tally.apply(ev.NodeFinished(host, last, last == "done", "USR-B", "1.1.0", why), now)
    return tally


def test_the_page_tells_of_every_node_and_needs_nothing_else():
    text = page(rollout(), "r1", 0.0, 30.0, 0)
    assert "Upgrade to 1.1.0" in text
    assert text.count('class="node"') == 2
    assert "most: 1" in text
    assert "Healthy members of etcd (of 3, least: 2)" in text
    assert not re.search(r"<script|https?://|<link|@import|url\(", text)
    assert 'name="viewport"' in text


def test_gates_and_checks_between_drain_and_release_count_as_away():
    text = page(rollout(("n1",)), "r1", 0.0, 30.0, 0)
    away = text.split("Nodes away")[1].split("</svg>")[0]
    assert len(re.findall(r"V", away)) == 1  # up once, down once: one step in between


def test_a_lost_node_stays_away_to_the_end():
    tally = rollout(("n1",), last="lost", why="never came back")
    tally.nodes["n1"].spans = [span for span in tally.nodes["n1"].spans if span[0] not in ("release", "undrain")]
    text = page(tally, "r1", 0.0, 30.0, 1)
    assert "never came back" in text
    assert 'class="bad"' in text
    assert "V" not in re.search(r'd="([^"]*)"', text.split("Nodes away")[1]).group(1)


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", 'n"1', "n\x1b[31m1", "é\u202e1"])
def test_names_and_reasons_cannot_break_out(hostile):
    text = page(rollout((hostile,), last="failed", why=hostile), hostile, 0.0, 30.0, 1)
    assert "<script" not in text
    assert "\x1b" not in text
    assert 'title="n"1' not in text


def test_an_empty_rollout_still_is_a_page():
    assert "0 nodes" in page(RolloutTally(), "r1", 0.0, 0.0, 4)


def test_the_file_is_written_when_the_run_has_finished(tmp_path):
    timeline = Timeline(tmp_path / "out.html")
    for event in (
        ev.RunStarted("r1", "upgrade", ("n1",)),
        ev.RolloutPlanned("r1", "1.1.0", ("n1",), 1, 1),
        ev.NodePhase("n1", "drain", "USR-A", "1.0.0", ""),
    ):
        timeline(event)
    assert not (tmp_path / "out.html").exists()
    timeline(ev.RunFinished("r1", 1, 2.0))
    assert "exit code 1" in (tmp_path / "out.html").read_text()


def test_with_little_room_the_table_shows_failures_first_and_then_what_moves():
    tally = RolloutTally()
    hosts = tuple(f"n{i}" for i in range(50))
    tally.apply(ev.RolloutPlanned("r1", "1.1.0", hosts, 1, 1), 0.0)
    tally.apply(ev.NodePhase("n7", "reboot", "USR-A", "1.0.0", ""), 1.0)
    tally.apply(ev.NodeFinished("n9", "rolled back", False, "USR-A", "1.0.0", "why"), 1.0)
    assert [row.name for row in choose_rows(tally, 10)] == ["n9", "n7"]
    assert len(choose_rows(tally, 60)) == 50


def test_the_table_fits_into_its_width():
    from rich.console import Console

    console = Console(width=60, height=20, file=None, record=True, no_color=True)
    tally = rollout(("n1", "a-node-with-a-name-that-is-much-too-long-for-a-table"), why="w" * 500)
    with console.capture() as captured:
        console.print(table(tally, 30.0, 0.0, 60, 20))
    assert max(len(line) for line in captured.get().splitlines()) <= 60
