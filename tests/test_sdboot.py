"""systemd-boot's rules: names, order, versions."""

from __future__ import annotations

import itertools
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.sdboot import Entry, choose, compare_versions, ordered, read

TEXT = "title x\nlinux /vmlinuz\nsort-key os\nmachine-id 1\nversion 7\noptions quiet\n"
names = st.text(st.characters(whitelist_categories=["L", "Nd"], whitelist_characters="-._"), max_size=10)
files = st.builds(
    lambda name, count: f"{name}{count}.conf", names, st.sampled_from(["", "+0", "+1", "+2-1", "+0-3", "+3-0", "+10"])
)
versions = st.text("019ab.~^-+_", max_size=6)
entries = st.builds(Entry, files, st.sampled_from(["", "a", "b"]), st.sampled_from(["", "m"]), versions)


@pytest.mark.parametrize(
    ("file", "left", "done", "booted"),
    [
        ("x.conf", None, 0, "x.conf"),
        ("x+3.conf", 3, 0, "x+2-1.conf"),
        ("x+2-1.conf", 2, 1, "x+1-2.conf"),
        ("x+4-0.conf", 4, 0, "x+3-1.conf"),
        ("x+1-2.CONF", 1, 2, "x+0-3.CONF"),
        ("x+0-3.conf", 0, 3, "x+0-4.conf"),
        ("x+3+1.conf", 1, 0, "x+3+0-1.conf"),
        ("x+.conf", None, 0, "x+.conf"),
        ("x+1-.conf", None, 0, "x+1-.conf"),
        ("x+1a.conf", None, 0, "x+1a.conf"),
    ],
)
def test_counts_are_in_the_name(file: str, left: int | None, done: int, booted: str) -> None:
    entry = Entry(file)
    assert (entry.left, entry.done, entry.booted) == (left, done, booted)


def test_reading() -> None:
    assert read("a.conf", TEXT) == Entry("a.conf", "os", "1", "7")
    assert read("a.conf", "# linux /no\n\n efi\t/x.efi  \n") == Entry("a.conf")
    for file, text in [("a.conf", "title x\n"), ("a.conf", "linux\n"), (".a.conf", TEXT), ("auto-a.conf", TEXT)]:
        assert read(file, text) is None
    assert read("a.conf.new", TEXT) is None


FIRST_TO_LAST = [
    Entry("b+1.conf", "os", "", "3"),
    Entry("a.conf", "os", "", "2"),
    Entry("b.conf", "os", "", "1"),
    Entry("z.conf", "zz", "", "9"),
    Entry("old-10.conf"),
    Entry("old-9.conf"),
    Entry("c+0-1.conf", "os", "", "9"),
    Entry("c+0-2.conf"),
]


def test_the_order() -> None:
    for mixed in itertools.islice(itertools.permutations(FIRST_TO_LAST), 0, None, 997):
        assert ordered(mixed) == FIRST_TO_LAST
    assert choose([]) is None


def test_of_the_same_entry_the_one_with_more_tries_comes_first() -> None:
    same = [Entry("a+1.conf", "os", "", "1"), Entry("a.conf", "os", "", "1")]
    assert ordered(reversed(same)) == same


@given(st.lists(entries, max_size=5))
def test_what_boots_has_a_try_left_if_anything_has(found: list[Entry]) -> None:
    chosen = choose(found)
    if chosen is not None and chosen.left == 0:
        assert all(entry.left == 0 for entry in found)
    assert (chosen is None) == (not found)


@given(versions, versions, versions)
def test_versions_are_in_an_order(a: str, b: str, c: str) -> None:
    assert compare_versions(a, a) == 0
    assert (compare_versions(a, b) > 0) == (compare_versions(b, a) < 0)
    if compare_versions(a, b) <= 0 and compare_versions(b, c) <= 0:
        assert compare_versions(a, c) <= 0


def test_versions_as_the_specification_has_them() -> None:
    rising = "123~rc1 123 123-a 123-a.1 123-1 123-1.1 123^post1 123.a-1 123.1-1 123a-1 124-1"
    for a, b in itertools.pairwise(rising.split()):
        assert compare_versions(a, b) < 0 < compare_versions(b, a)
    for a, b in [("1", "01"), ("1_", "1"), ("", "+")]:
        assert compare_versions(a, b) == 0


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_versions_as_systemd_has_them() -> None:
    words = " 0 1 01 10 a b 1a a1 ~ 1~ 1- 1-1 1. 1.1 1^ 1^1 a.b +"
    for a, b in itertools.islice(itertools.product(words.split(" "), repeat=2), 0, None, 3):
        said = subprocess.run(["systemd-analyze", "compare-versions", "--", a, b], capture_output=True, check=False)
        ours = compare_versions(a, b)
        assert (ours > 0) - (ours < 0) == {0: 0, 11: 1, 12: -1}[said.returncode], (a, b)
