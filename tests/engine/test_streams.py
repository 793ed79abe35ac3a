"""Content that a step reads as a stream: nothing is kept in between, all of it or a failure, at a given rate."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from coreops.engine.limits import Pace
from coreops.errors import InputError
from coreops.model import Blob, Segment, ShellStep
from coreops.shell.compile import compile_segment
from tests.support.shells import run_steps

DATA = bytes(range(256)) * 5000


def stream(folder: Path, act: str, blob: Blob, **fields) -> ShellStep:
    return ShellStep(id="s1", title="stream", act=act, env={"OUT": str(folder / "out")}, stdin=blob, **fields)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_the_act_reads_exactly_the_blob_and_the_next_step_follows(shell, tmp_path):
    path = tmp_path / "image"
    path.write_bytes(b"before" + DATA + b"after")
    blob = Blob("", len(DATA), path=path, offset=6)
    act = f'dd bs=65536 count={len(DATA)} iflag=fullblock,count_bytes 2>/dev/null >"$OUT"'
    after = ShellStep(id="s2", title="after", act="echo after")
    program, outcome = run_steps([stream(tmp_path, act, blob), after], shell=shell)
    assert outcome.state == "done"
    assert (tmp_path / "out").read_bytes() == DATA
    assert program.records["s2"].stdout == b"after\n"


def test_a_stream_that_is_not_wanted_is_not_sent(tmp_path):
    program, outcome = run_steps([stream(tmp_path, "exit 9", Blob.of(DATA), probe="true")])
    assert outcome.state == "done"
    assert program.records["s1"].state == "ok"


@pytest.mark.parametrize("act", ["exit 3", "dd bs=1000 count=3 >/dev/null 2>&1; echo no space >&2; exit 3"])
def test_an_act_that_fails_in_the_middle_says_so_and_costs_only_the_connection(act, tmp_path):
    program, outcome = run_steps([stream(tmp_path, act, Blob.of(DATA * 4))])
    assert outcome.state == "failed"
    assert program.records["s1"].rc == 3


def test_a_lost_connection_sends_the_stream_again(tmp_path):
    act = f'dd bs=65536 count={len(DATA)} iflag=fullblock,count_bytes 2>/dev/null >"$OUT"'
    digest = hashlib.sha256(DATA).hexdigest()
    checked = f'{act}; [ "$(sha256sum <"$OUT")" = "{digest}  -" ]'
    _, outcome = run_steps([stream(tmp_path, checked, Blob.of(DATA))], cuts=[b" n 1"])
    assert outcome.state == "done"
    assert (tmp_path / "out").read_bytes() == DATA


@pytest.mark.parametrize("more", [{"once": True}, {"blobs": (Blob.of(b"x"),)}])
def test_a_stream_goes_with_nothing_else(more, tmp_path):
    with pytest.raises(InputError, match="stream"):
        compile_segment(Segment("s", (stream(tmp_path, "cat", Blob.of(b"x"), **more),)))


def test_senders_together_keep_the_pace():
    now, slept = [0.0], []
    pace = Pace(1000, clock=lambda: now[0], sleep=slept.append)
    pace(500)
    pace(500)  # another host
    pace(100)
    assert slept == [0.5, 1.0]
    now[0] = 60.0  # what was not sent in an idle minute is not made up for
    pace(2000)
    pace(100)
    assert slept[2:] == [2.0]
