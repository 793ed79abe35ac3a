"""Which part of an image travels when; pure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.model import Record
from coreops.upgrade.guard import Guard
from coreops.upgrade.release import Release
from coreops.upgrade.slots import staging
from coreops.upgrade.slots.usr import UsrSlots

pytestmark = pytest.mark.slow


def release(frames: tuple[int, ...], frame: int = 10, kernel: int = 0) -> Release:
    usr = len(frames) - kernel
    return Release(
        version="1",
        board="b",
        target="t",
        size=sum(frames),
        sha256="5" * 64,
        codec="gzip",
        frame=frame,
        frames=frames,
        usr_size=usr * frame,
        usr_sha256="6" * 64,
        kernel_size=kernel * frame,
    )


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(0, 40), st.integers(1, 100))
def test_parts_are_all_that_is_left(lengths: list[int], done: int, largest: int) -> None:
    done = min(done, len(lengths))
    whole = release(tuple(lengths))
    parts = list(staging.parts(whole, done, largest))
    assert sum(part.size for part in parts) == sum(lengths[done:])
    at = done
    for part in parts:
        assert part.first == at < part.end
        assert part.offset == sum(lengths[: part.first])
        assert part.size == sum(lengths[part.first : part.end])
        assert part.size <= largest or part.end == part.first + 1
        at = part.end
    assert at == len(lengths)


def test_a_description_that_contradicts_itself_is_refused() -> None:
    good = release((3, 4, 5), kernel=1)
    staging.check(good)
    for bad in (release((3, 4)), release((3, 4, 5), frame=7)):
        staging.check(bad)
    with pytest.raises(InputError, match="contradicts itself"):
        staging.check(Release(**{n: getattr(good, n) for n in Release.__dataclass_fields__} | {"size": 13}))
    with pytest.raises(InputError, match="contradicts itself"):
        staging.check(Release(**{n: getattr(good, n) for n in Release.__dataclass_fields__} | {"usr_size": 21}))


def test_the_program() -> None:
    told: list[tuple[int, int]] = []
    program = UsrSlots().stage(release((3, 4, 5)), Path("/image"), Guard("b", 1), lambda *each: told.append(each))
    look = program.next()
    assert look is not None
    assert program.next() is None
    program.feed(Record("stage.look", "ok", stdout=b"frames 2\n"))
    write = program.next()
    assert write is not None
    part, done = write.steps
    assert part.stdin is not None  # type: ignore[union-attr]
    assert (part.stdin.offset, part.stdin.size, part.stdin.path) == (7, 5, Path("/image"))  # type: ignore[union-attr]
    program.feed(Record(part.id, "changed"))
    program.feed(Record(done.id, "changed"))
    assert program.next() is None
    assert (program.failure, told) == (None, [(7, 12), (12, 12)])


@pytest.mark.parametrize("said", [b"frames 3\n", b"frames 9\n"])
def test_all_is_written_but_not_read_back(said: bytes) -> None:
    program = UsrSlots().stage(release((3, 4, 5)), Path("/image"), Guard())
    program.next()
    program.feed(Record("stage.look", "ok", stdout=said))
    write = program.next()
    assert write is not None
    assert [step.id for step in write.steps] == ["stage.done"]


def test_a_refusal_is_the_node_s_own_words() -> None:
    program = UsrSlots().stage(release((3,)), Path("/image"), Guard())
    program.next()
    program.feed(Record("stage.look", "failed", rc=2, stderr=b"noise\nthe release does not fit\n"))
    assert program.failure == "the release does not fit"
    assert program.failed is not None
    assert program.next() is None
