"""Content that travels as sh text arrives byte for byte, mixed with content that travels raw, in three real shells."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coreops.model import Blob, FileStep
from coreops.shell import inline
from tests.support.shells import EACH_SHELL, run_steps

shells = pytest.mark.parametrize("shell", EACH_SHELL)
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=300).map(str.encode)


def place(folder: Path, contents: list[bytes], shell: str) -> list[str]:
    steps = [
        FileStep(id=str(n), title=str(n), path=f"{folder}/{n}", kind="file", content=Blob.of(content))
        for n, content in enumerate(contents)
    ]
    program, _ = run_steps(steps, shell)
    return [record.state for record in program.records.values()]


@shells
@settings(max_examples=12, deadline=None)
@given(st.lists(st.one_of(TEXT, st.binary(max_size=300)), min_size=1, max_size=4))
@example([b"same\n", b"\0raw", b"same\n", b"", b"'", b"\n\n\n", b"\\n$x`id`\x01\x7f\x81\r\n", b"-n", b"%s\\c"])
@example(["\u0081\u0088\ufeff\U0001f600é".encode(), b"co_text 1 x\n"])
def test_contents_arrive_unchanged(shell, contents):
    with tempfile.TemporaryDirectory() as name:
        assert place(Path(name), contents, shell) == ["changed"] * len(contents)
        assert [(Path(name) / str(n)).read_bytes() for n in range(len(contents))] == contents


@shells
def test_more_text_than_a_shell_should_hold_travels_raw(shell, tmp_path):
    contents = [bytes([65 + n]) * inline.MAX_TEXT for n in range(12)] + [b"x" * (inline.MAX_TEXT + 1)]
    assert place(tmp_path, contents, shell) == ["changed"] * 13
    assert [(tmp_path / str(n)).read_bytes() for n in range(13)] == contents


@shells
def test_a_folder_that_is_missing_loses_no_byte_of_what_follows(shell, tmp_path):
    steps = [
        FileStep(
            id=str(n),
            title=str(n),
            path=f"{tmp_path}/{name}",
            kind="file",
            content=Blob.of(content),
            ignore_errors=name.startswith("missing"),
        )
        for n, (name, content) in enumerate(
            [("missing/text", b"text"), ("missing/raw", b"\0" * 9), ("text", b"t"), ("raw", b"\0")]
        )
    ]
    program, outcome = run_steps(steps, shell)
    assert [record.state for record in program.records.values()] == ["failed", "failed", "changed", "changed"]
    assert outcome.state == "done"
    assert (tmp_path / "raw").read_bytes() == b"\0"


def test_what_no_variable_holds_is_not_inlined():
    contents = [b"", b"a\0b", b"\xff", b"x" * (inline.MAX_TEXT + 1), b"text"]
    answer, served = inline.inline([(n, Blob.of(content)) for n, content in enumerate(contents, start=1)])
    assert served == {5}
    assert answer == b"15\nco_text 5 text\n"
