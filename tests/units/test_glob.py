"""Go's path.Match; the cases are those of Go's documentation, in our words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.units import glob


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("web@*.service", "web@1.service", True),
        ("web@*.service", "web.service", False),
        ("*", "a.b@c", True),
        ("*", "a/b", False),
        ("?.service", "a.service", True),
        ("a[1-3]", "a2", True),
        ("a[^1-3]", "a2", False),
        ("a[^1-3]", "a4", True),
        ("a[z-a]", "az", False),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        (r"[\-x]", "-", True),
        ("web", "web@1", False),
        ("", "", True),
    ],
)
def test_fits(pattern: str, name: str, fits: bool) -> None:
    assert glob.matches(pattern, name) is fits


@pytest.mark.parametrize("pattern", ["[", "[]a]", "[a", "[-]", "[x-]", "[a-]", "\\", "[\\"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        glob.compiled(pattern)


@given(st.text(alphabet="ab[]^-*?\\.", max_size=8), st.text(alphabet="ab^-.", max_size=6))
def test_a_name_that_fits_begins_with_the_literal_part(pattern: str, name: str) -> None:
    try:
        fits = glob.matches(pattern, name)
    except ValueError:
        return
    assert not fits or name.startswith(glob.literal(pattern))


@pytest.mark.parametrize(
    "pattern", ["*" * 200 + "b", "*a" * 60 + "b", "*?" * 60 + "b", "*[a-z]*" * 60 + "b", "a*" * 90 + "/"]
)
def test_many_stars_do_not_take_for_ever(pattern: str) -> None:
    assert not glob.matches(pattern, "a" * 250)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a*", "xax"),
        ("**", ""),
        ("*ab*ab", "abab"),
        ("*a*/b", "xaya/b"),
        ("*/*/*", "a/b/c"),
        ("*b", "abb"),
        ("a**c", "abc"),
    ],
)
def test_stars_that_fit(pattern: str, name: str) -> None:
    assert glob.matches(pattern, name)
