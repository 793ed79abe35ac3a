"""How a rollout looks: lines, the live table, the last word, the timeline."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from coreops import events as ev
from coreops.report.rollout import choose_rollout
from coreops.report.rollout_html import page
from coreops.report.rollout_live import choose_rows, table
from coreops.report.rollout_tally import RolloutTally

HOSTILE = "n1\x1b]0;owned\x07<script>"
STORY: list[ev.Event] = [
    ev.RunStarted("r7", "upgrade", ("n1", "n2", HOSTILE)),
    ev.RolloutPlanned("r7", "1.1.0", ("n1", "n2", HOSTILE)),
    ev.NodePhase("n1", "stage", "USR-A", "1.0.0"),
    ev.Progress("n1", "stage", 10 << 20, 40 << 20),
    ev.NodePhase("n2", "drain", "USR-A", "1.0.0"),
    ev.StoreHealth(3, 3, "n3"),
    ev.NodePhase("n2", "reboot", "USR-A", "1.0.0", "connection lost"),
    ev.StoreHealth(3, 2, "n3"),
    ev.NodePhase("n2", "check", "USR-B", "1.1.0"),
    ev.NodeFinished("n1", "not reached", False, "USR-A", "1.0.0", "its turn never came"),
    ev.NodeFinished("n2", "done", True, "USR-B", "1.1.0"),
    ev.NodeFinished(HOSTILE, "failed", False, why="<b>\x1b[31m"),
    ev.RunFinished("r7", 1, 61.0),
]


def told(story: list[ev.Event]) -> RolloutTally:
    tally = RolloutTally()
    for moment, event in enumerate(story):
        tally.apply(event, float(moment))
    return tally


def test_lines_for_pipes_and_one_last_line_a_node() -> None:
    out, err = io.StringIO(), io.StringIO()
    with choose_rollout(tty=False, stdout=out, stderr=err) as emit:
        for event in STORY:
            emit(event)
    assert re.search(r"n2 +reboot +USR-A 1.0.0  connection lost", err.getvalue())
    assert "2 of 3 members healthy, leader n3" in err.getvalue()
    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["n1", "n2"]
    assert re.match(r"n1 .*not reached  USR-A 1.0.0  its turn never came", lines[0])
    assert lines[-1] == "2 of 3 nodes not upgraded in 61 s"
    assert "\x1b" not in out.getvalue() + err.getvalue()


def test_json_has_every_event() -> None:
    out = io.StringIO()
    with choose_rollout(json=True, stdout=out) as emit:
        for event in STORY:
            emit(event)
    assert len(out.getvalue().splitlines()) == len(STORY)
    assert '"event": "node_phase"' in out.getvalue()


@pytest.mark.parametrize(("width", "height"), [(100, 30), (40, 4), (20, 3)])
def test_the_table_fits(width: int, height: int) -> None:
    from rich.console import Console

    tally = told(STORY[:7])
    console = Console(file=io.StringIO(), width=width, height=height)
    with console.capture() as capture:
        console.print(table(tally, 9.0, 0.0, width, height))
    lines = capture.get().splitlines()
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    if width == 100:
        assert "10 of 40 MiB" in capture.get()
        assert "etcd 3 of 3 healthy" in capture.get()


def test_with_many_nodes_those_that_matter_are_shown() -> None:
    names = tuple(f"n{number}" for number in range(1000))
    story = [ev.RolloutPlanned("r", "1", names), ev.NodePhase("n500", "reboot")]
    story.append(ev.NodeFinished("n900", "failed", False))
    assert [row.name for row in choose_rows(told(story), 10)] == ["n900", "n500"]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_timeline_stands_alone_and_nothing_in_it_is_alive() -> None:
    made = page(told(STORY), "r7", 0.0, 12.0, 1)
    parser = _Tags()
    parser.feed(made)
    assert "script" not in parser.tags
    assert not parser.links
    assert "width=device-width" in made
    assert made.count('<div class="node">') == 3
    assert "most: 1" in made
    assert "of 3, least: 2" in made
    assert "\x1b" not in made


def test_the_timeline_is_written_when_the_run_ends(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    with choose_rollout(tty=False, html=path, stdout=io.StringIO(), stderr=io.StringIO()) as emit:
        for event in STORY:
            emit(event)
    assert path.read_text().startswith("<!doctype html>")


def test_widths_of_a_bar_are_shares_of_the_whole_time() -> None:
    made = page(told(STORY), "r7", 0.0, 12.0, 1)
    for bar in re.findall(r'<div class="bar">(.*?)</div>', made):
        assert sum(float(width) for width in re.findall(r"width:([0-9.]+)%", bar)) <= 100.1


def test_an_interrupted_run_says_how_to_go_on() -> None:
    out = io.StringIO()
    with choose_rollout(tty=False, stdout=out, stderr=io.StringIO()) as emit:
        for event in [*STORY[:-1], ev.RunFinished("r7", 5, 61.0)]:
            emit(event)
    assert out.getvalue().splitlines()[-1] == "to go on: coreops resume r7"
