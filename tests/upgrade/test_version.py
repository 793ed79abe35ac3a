"""Versions: their order and the hops between them."""

from __future__ import annotations

import contextlib
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError, RefusedError
from coreops.upgrade.release import Release
from coreops.upgrade.version import compare, parse, route


def release(
    version: str, board: str = "amd64-usr", min_from: str = "", barrier: bool = False, deadend: str = ""
) -> Release:
    return Release(
        version=version,
        board=board,
        target=f"{board}/{version}.usr",
        size=1,
        sha256="0" * 64,
        codec="none",
        frame=4,
        frames=(1,),
        usr_size=1,
        usr_sha256="0" * 64,
        min_from=min_from,
        barrier=barrier,
        deadend=deadend,
    )


# From Semantic Versioning 2.0.0, section 11, and from the field.
ASCENDING = (
    *("0", "0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"),
    *(
        "1.0.0-rc.1",
        "1.0.0",
        "1.2",
        "1.10.0",
        "24.04",
        "3374.2.0",
        "3510.2.0",
        "3510.2.1",
        "3510.10",
        "38.20230514.3.0",
    ),
)


def test_order() -> None:
    ordered = sorted(ASCENDING, key=parse)
    assert ordered.index("38.20230514.3.0") == ordered.index("24.04") + 1
    without = [version for version in ASCENDING if version != "38.20230514.3.0"]
    assert sorted(without, key=parse) == without


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0.0"), ("1.0.0+a", "1.0.0+b"), ("1.0.0-rc.1+x", "1.0.0-rc.1")])
def test_the_same(one: str, other: str) -> None:
    assert compare(one, other) == 0


@pytest.mark.parametrize(
    "text", ["", " 1.0", "1.0 ", "v1", "1..0", "1.0-", "1.0-a..b", "1.0+", "a", "1.0\n", "-1", "1/2", "١.٢", "9" * 101]
)
def test_not_a_version(text: str) -> None:
    with pytest.raises(InputError, match="is not a version"):
        parse(text)


@given(st.text())
def test_any_text_is_a_version_or_an_error(text: str) -> None:
    with contextlib.suppress(InputError):
        assert str(parse(text)) == text


words = st.from_regex(r"[0-9A-Za-z-]{1,3}", fullmatch=True)
versions = st.builds(
    lambda numbers, pre: ".".join(map(str, numbers)) + ("-" + ".".join(pre) if pre else ""),
    st.lists(st.integers(0, 12), min_size=1, max_size=4),
    st.lists(words, max_size=3),
)


@given(versions, versions, versions)
def test_it_is_an_order(a: str, b: str, c: str) -> None:
    assert compare(a, a) == 0
    assert compare(a, b) == -compare(b, a)
    if compare(a, b) <= 0 and compare(b, c) <= 0:
        assert compare(a, c) <= 0


def texts(way: tuple[Release, ...]) -> list[str]:
    return [hop.version for hop in way]


def test_straight_to_the_target() -> None:
    every = [release("1.0.0"), release("1.1.0"), release("1.2.0")]
    assert texts(route("1.0.0", every[2], every)) == ["1.2.0"]
    assert route("1.2.0", every[2], every) == ()
    assert texts(route("0.1.0", every[2], every)) == ["1.2.0"]


def test_a_barrier_is_not_skipped() -> None:
    every = [release("1.0.0"), release("1.1.0", barrier=True), release("1.2.0"), release("1.3.0", barrier=True)]
    assert texts(route("1.0.0", every[2], every)) == ["1.1.0", "1.2.0"]
    assert texts(route("1.1.0", every[3], every)) == ["1.3.0"]
    assert texts(route("1.0.0", every[3], every)) == ["1.1.0", "1.3.0"]


def test_a_barrier_of_another_board_is_none_of_ours() -> None:
    every = [release("1.2.0"), release("1.1.0", board="arm64-usr", barrier=True)]
    assert texts(route("1.0.0", every[0], every)) == ["1.2.0"]


def test_min_from_leads_over_the_newest_in_between() -> None:
    every = [release("1.1.0"), release("1.2.0"), release("2.0.0", min_from="1.1.0")]
    assert texts(route("1.0.0", every[2], every)) == ["1.2.0", "2.0.0"]


def test_no_way() -> None:
    every = [release("1.1.0", deadend="its kernel eats disks"), release("2.0.0", min_from="1.1.0")]
    with pytest.raises(RefusedError, match=r"takes only nodes with 1\.1\.0 or newer"):
        route("1.0.0", every[1], every)
    with pytest.raises(RefusedError, match="its kernel eats disks"):
        route("1.1.0", every[1], every)
    with pytest.raises(RefusedError, match="is a dead end"):
        route("1.0.0", release("2.0.0"), [release("1.5.0", barrier=True, deadend="end"), release("2.0.0")])


def test_a_dead_end_may_be_the_target() -> None:
    last = release("2.0.0", deadend="the board is retired")
    assert route("1.0.0", last, [last]) == (last,)
    assert route("2.0.0", last, [last]) == ()


def test_downgrade() -> None:
    every = [release("1.0.0"), release("1.1.0", barrier=True), release("2.0.0")]
    with pytest.raises(RefusedError, match="--allow-downgrade"):
        route("2.0.0", every[0], every)
    assert texts(route("2.0.0", every[0], every, allow_downgrade=True)) == ["1.0.0"]


def test_another_build_of_the_same_version_is_a_hop() -> None:
    other = release("1.0.0+2")
    assert route("1.0.0+1", other, [other]) == (other,)


def may_take(start: str, hops: tuple[Release, ...], every: list[Release]) -> bool:
    """The rules once more, each by itself."""
    for one, hop in pairwise([None, *hops]):
        assert hop is not None
        before = one.version if one else start
        if any(
            other.barrier and compare(before, other.version) < 0 < compare(hop.version, other.version)
            for other in every
        ):
            return False
        if any(other.version == before and other.deadend for other in every):
            return False
        if hop.min_from and compare(before, hop.min_from) < 0:
            return False
    return True


releases = st.builds(
    lambda number, low, barrier, deadend: release(
        f"{number}.0", min_from=f"{min(low, number - 1)}.0" if low else "", barrier=barrier, deadend="end" * deadend
    ),
    st.integers(2, 7),
    st.integers(0, 6),
    st.booleans(),
    st.sampled_from([0, 0, 0, 1]),
)


@given(st.lists(releases, min_size=1, max_size=6, unique_by=lambda one: one.version))
def test_the_shortest_way_that_keeps_the_rules(every: list[Release]) -> None:
    every.sort(key=lambda one: parse(one.version))
    target = every[-1]
    ways = [
        (*middle, target)
        for length in range(len(every))
        for middle in combinations(every[:-1], length)
        if may_take("1.0", (*middle, target), every)
    ]
    try:
        found = route("1.0", target, every)
    except RefusedError:
        assert not ways
        return
    assert may_take("1.0", found, every)
    assert len(found) == min(map(len, ways))
