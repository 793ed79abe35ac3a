from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.schedulers.fleet import glob, names
from tests.schedulers.fleet.model import path_match

CHARS = st.sampled_from("ab0-.:_\\@")
NAMES = st.tuples(st.text(CHARS, min_size=1, max_size=6), st.sampled_from(["service", "socket", "service.timer"])).map(
    ".".join
)
PATTERNS = st.text(st.sampled_from("ab-.\\*?[]^"), max_size=8)


@given(PATTERNS, st.text(st.sampled_from("ab-.\\]^/"), max_size=6))
def test_matching_is_gos(pattern: str, name: str) -> None:
    assert glob.match(pattern, name) == path_match(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [("web@*.service", "web@1.service", True), ("w?b", "w/b", False), ("[^a]*", "bc", True), ("[", "[", False),
     ("[]a]", "]", False), ("[\\-x]", "-", True), ("a\\*", "a*", True), ("a\\*", "ab", False), ("*", "a/b", False),
     ("[a-c]x", "bx", True), ("[c-a]x", "bx", False), ("[a-", "a", False), ("[^c-a]x", "bx", True),
     ("a\\", "a\\", False)],
)  # fmt: skip
def test_cases_of_gos_own(pattern: str, name: str, fits: bool) -> None:
    assert glob.match(pattern, name) is fits is path_match(pattern, name)


@given(st.sets(NAMES, max_size=6), st.sets(st.text(CHARS, min_size=1, max_size=4), max_size=2), NAMES)
def test_all_but_these(kept: set[str], prefixes: set[str], other: str) -> None:
    patterns = glob.all_but(kept, prefixes)
    assert not any(pattern.endswith("\\") or " " in pattern for pattern in patterns)
    for name in (*kept, other):
        spared = name in kept or any(name.startswith(prefix) for prefix in prefixes)
        assert any(path_match(pattern, name) for pattern in patterns) is not spared, name
        for prefix in prefixes:
            assert not any(path_match(pattern, prefix + name) for pattern in patterns)


def test_a_literal_is_itself() -> None:
    assert path_match(glob.literal("a*b[c]?\\d"), "a*b[c]?\\d")
    assert not path_match(glob.literal("a*b"), "axb")


@given(st.text(min_size=1, max_size=20), st.integers(0, 999))
def test_any_host_has_a_name_in_fleet(host: str, number: int) -> None:
    made = names.unit(host, number)
    assert names.of_unit(made) == (host, number)
    assert names.read(names.spelled(host)) == host
    assert not set(names.spelled(host)) & set(" ,=\"'\n/%")


def test_names_that_are_no_notes() -> None:
    assert names.of_unit("web@1.service") is None
    assert names.of_unit("00-coreops-n1.service") is None
    assert names.of_unit(names.unit("a.1", 2)) == ("a.1", 2)
    assert names.of_unit(names.unit("a", 12)) == ("a", 12)
