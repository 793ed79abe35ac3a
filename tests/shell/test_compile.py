"""The sh that comes out, held against golden files. ``COREOPS_GOLDEN=write`` writes them anew: read the diff."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.model import Blob, FileStep, Segment, ShellStep
from coreops.shell.compile import compile_segment, has_files

HEADER = "# shellcheck shell=sh disable=SC2016\n"
GOLDEN = Path(__file__).parent / "golden"

SEGMENTS = {
    "files": Segment(
        "s",
        (
            FileStep(id="1", title="folder", path="/etc/app/", kind="directory", mode=0o755, owner="root", group="0"),
            FileStep(id="2", title="file", path="/etc/app/it's", kind="file", content=Blob.of(b"hello\n"), mode=0o600),
            FileStep(
                id="3", title="program", path="/opt/p", kind="file", content=Blob.of(b""), mode=0o755, follow=True
            ),
            FileStep(id="4", title="attributes", path="/etc/app/it's", kind="file", owner="a*b", ignore_errors=True),
            FileStep(id="5", title="link", path="/opt/l", kind="link", target="-x $(y)"),
            FileStep(id="6", title="gone", path="/opt/l", kind="absent"),
            FileStep(id="7", title="below", path="/opt/l/x", kind="directory", secret=True, force=False),
        ),
    ),
    "shell": Segment(
        "s",
        (
            ShellStep(id="p1.t1.0", title="query", probe="uname -n"),
            ShellStep(
                id="p1.t2.0", title="act", act="echo 'it'", env={"A": "x\ny"}, cwd="/tmp", once=True, timeout=0.2
            ),
            ShellStep(id="p1.t3.0", title="both", probe="p", act="a", blobs=(Blob.of(b"12"),), ignore_errors=True),
            ShellStep(id="p1.t4.0", title="check", act="a", in_check=True, changes=False),
        ),
        check=True,
        diff=True,
    ),
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_golden(name):
    text = compile_segment(SEGMENTS[name])
    path = GOLDEN / f"{name}.sh"
    if os.environ.get("COREOPS_GOLDEN") == "write":
        path.write_text(f"{HEADER}{text}")
    assert path.read_text() == f"{HEADER}{text}"


def test_only_segments_with_files_need_their_functions():
    assert has_files(SEGMENTS["files"])
    assert not has_files(SEGMENTS["shell"])


@pytest.mark.parametrize("kind", ["absent", "file", "link"])
def test_the_root_folder_is_refused(kind):
    for path in ("/", "//", ""):
        with pytest.raises(InputError, match="cannot be made"):
            compile_segment(Segment("s", (FileStep(id="1", title="t", path=path, kind=kind),)))


def test_a_relative_path_is_refused():
    with pytest.raises(InputError, match="not an absolute path"):
        compile_segment(Segment("s", (FileStep(id="1", title="t", path="etc/x", kind="directory"),)))


def test_a_script_that_no_process_could_be_given_is_refused():
    step = ShellStep(id="1", title="long", act="x" * 119_990, env={"A": "b" * 20})
    with pytest.raises(InputError, match="longer than 120000 bytes"):
        compile_segment(Segment("s", (step,)))


def test_nul_is_refused():
    with pytest.raises(InputError):
        compile_segment(Segment("s", (FileStep(id="1", title="t", path="/a\0b", kind="directory"),)))
