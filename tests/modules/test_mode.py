"""A symbolic mode does what chmod does."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.modules.mode import Mode, parse_mode

# Executable by all or by none: between an x that is taken and an X, chmod and Mode may differ about the others.
BITS = st.builds(lambda bits, run: bits & 0o666 | (0o111 if run else 0), st.integers(0, 0o777), st.booleans())
CLAUSE = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["u", "g", "o", "a", "ug", "go", ""]),
        st.sampled_from(["+", "-", "="]),
        st.text(st.sampled_from("rwxXst"), max_size=4),
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(CLAUSE, min_size=1, max_size=3), st.lists(BITS, min_size=4, max_size=4), st.booleans())
def test_as_chmod_does(
    tmp_path_factory: pytest.TempPathFactory, clauses: list[str], modes: list[int], folders: bool
) -> None:
    text = ",".join(clauses)
    mode = parse_mode(text)
    base = tmp_path_factory.mktemp("m")
    paths = [base / str(number) for number in range(len(modes))]
    for path, bits in zip(paths, modes, strict=True):
        path.mkdir() if folders else path.touch()
        path.chmod(bits)
    subprocess.run(["chmod", "--", text, *paths], check=True, umask=0o022, capture_output=True)
    for path, bits in zip(paths, modes, strict=True):
        change = mode.folder if folders else mode.executable if bits & 0o111 else mode.plain
        assert oct(stat.S_IMODE(os.lstat(path).st_mode)) == oct(bits & ~change.clear | change.set), (oct(bits), text)
        path.chmod(0o700)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 0o7777), st.integers(0, 0o7777))
def test_its_word_for_chmod(tmp_path_factory: pytest.TempPathFactory, clear: int, bits: int) -> None:
    from coreops.modules.mode import Change

    path = tmp_path_factory.mktemp("w") / "f"
    path.touch(mode=0o645)
    word = Change(clear | bits, bits).word
    subprocess.run(["chmod", "--", word, path], check=True, umask=0o022)
    assert stat.S_IMODE(path.stat().st_mode) == 0o645 & ~(clear | bits) | bits


@pytest.mark.parametrize(
    ("value", "bits"), [("0644", 0o644), ("644", 0o644), (0o644, 0o644), ("01777", 0o1777), (0, 0), ("0o600", 0o600)]
)
def test_octal(value: object, bits: int) -> None:
    assert parse_mode(value).exact == bits


@pytest.mark.parametrize("value", [644, 755, 600, 400, 9999, -1, True, None, 1.5, "u", "0648", "u+z", "", "99999", []])
def test_no_mode(value: object) -> None:
    with pytest.raises(ValueError, match=r"mode|decimal"):
        parse_mode(value)


def test_exact_is_only_what_depends_on_nothing() -> None:
    assert isinstance(parse_mode("u=rw,go=r"), Mode)
    assert parse_mode("u=rw,go=r").exact is None
