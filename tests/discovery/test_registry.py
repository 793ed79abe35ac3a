"""Who may register, and what an etcd is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.discovery.registry import (
    EXISTS,
    INVALID,
    NO_MORE,
    Member,
    Refused,
    Token,
    event,
    find,
    judge,
    name_fault,
    shown,
    size_fault,
    value_fault,
)

WORD = "0123456789abcdef" * 2


def token(size: int, *numbers: int) -> Token:
    members = tuple(Member(f"{n:x}", f"n{n}=http://192.0.2.{n}:2380", 10 + n, 0.0, f"192.0.2.{n}") for n in numbers)
    return Token(WORD, size, 10, 0.0, "prod", members=members)


@pytest.mark.parametrize("size", [1, 3, 5, 7, 9])
def test_sizes(size: int) -> None:
    assert size_fault(size) is None


@pytest.mark.parametrize("size", [-3, 0, 10, 11])
def test_sizes_that_nothing_allows(size: int) -> None:
    assert size_fault(size, even=True) == f"a cluster has 1 to 9 members, not {size}"


def test_even_sizes_say_why() -> None:
    assert size_fault(4) == "4 members survive the loss of 1, as 3 do, and one more can fail"
    assert size_fault(2) == "2 members survive the loss of 0, as 1 does, and one more can fail"
    assert size_fault(4, even=True) is None


def test_a_member_registers_once() -> None:
    two = token(3, 1, 2)
    assert judge(two, "3", "n3=https://192.0.2.3:2380", "192.0.2.3") is None
    assert judge(two, "1", "n1=http://192.0.2.1:2380", "192.0.2.1") == two.members[0]
    changed = judge(two, "1", "n1=http://192.0.2.9:2380", "192.0.2.1")
    assert isinstance(changed, Refused)
    assert changed.code == EXISTS


def test_a_cluster_that_is_complete_changes_no_more() -> None:
    three = token(3, 1, 2, 3)
    surplus = judge(three, "4", "n4=http://192.0.2.4:2380", "192.0.2.4")
    assert surplus == Refused(NO_MORE, "all 3 members of prod have registered")
    wiped = judge(three, "1", "n1=http://192.0.2.1:2380", "192.0.2.1")
    assert isinstance(wiped, Refused)
    assert wiped.code == EXISTS


def test_a_replaced_token_takes_nobody() -> None:
    found = judge(replace(token(3), replaced=1.0), "1", "n1=http://192.0.2.1:2380", "192.0.2.1")
    assert isinstance(found, Refused)
    assert "replaced" in found.why


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("n1=http://192.0.2.9:2380", "another member is named n1"),
        ("n9=http://192.0.2.1:2380", "http://192.0.2.1:2380 is the address of n1"),
        ("n9=http://127.0.0.1:2380", "only the member itself reaches"),
        ("n9=http://localhost:2380", "only the member itself reaches"),
        ("n9=http://[::]:2380", "only the member itself reaches"),
        ("", "is not NAME=URL"),
        ("n9", "is not NAME=URL"),
        ("=http://192.0.2.9:2380", "is not NAME=URL"),
        ("n9=ftp://192.0.2.9:2380", "is not http://HOST:PORT"),
        ("n9=http://192.0.2.9", "is not http://HOST:PORT"),
        ("n9=http://192.0.2.9:99999", "is not http://HOST:PORT"),
        ("n9=http://[192.0.2.9:2380", "is not http://HOST:PORT"),
        ("n9=http://a@192.0.2.9:2380", "is not http://HOST:PORT"),
        ("n9=http://192.0.2.9:2380/x", "is not http://HOST:PORT"),
        ("n8=http://192.0.2.8:2380,n9=http://192.0.2.9:2380", "more than one name"),
        ("n9=http://192.0.2.9:2380\nprod: n9 registered", "control characters"),
        ("n9=http://" + "a" * 3000 + ":2380", "too long"),
    ],
)
def test_what_would_spoil_the_cluster_for_all_is_refused(value: str, why: str) -> None:
    found = judge(token(3, 1), "9", value, "192.0.2.9")
    assert isinstance(found, Refused)
    assert found.code == INVALID
    assert why in found.why


def test_loopback_among_themselves_is_a_lab() -> None:
    assert judge(token(3), "1", "n1=http://127.0.0.1:2380", "127.0.0.1") is None
    assert judge(token(1), "1", "n1=http://127.0.0.1:2380", "192.0.2.1") is None


@given(st.text(max_size=80))
def test_values_are_judged_and_never_crash(text: str) -> None:
    fault = value_fault(text)
    assert fault is None or fault.isprintable()


def etcd_sees(known: Token, me: str) -> tuple[bool, set[str]]:
    """What etcd's client makes of it: whether it believes the cluster full without it, and whom it finds in the end."""
    nodes, index = shown(known, 99, to_etcd=True)
    for at, node in enumerate(nodes):
        if node.id == me:
            break
        if at >= known.size - 1:
            return True, set()
    found = list(nodes[: known.size])
    while len(found) < known.size and (news := event(known, None, index + 1)) is not None:
        found.append(news)
        index = news.index
    return False, {each.id for each in found}


@given(st.integers(1, 9), st.data())
def test_no_etcd_ever_thinks_that_it_is_surplus_and_every_member_finds_all(size: int, data: st.DataObject) -> None:
    here = data.draw(st.integers(0, size))
    known = token(size, *range(1, here + 1))
    for me in (*(each.id for each in known.members), "ff"):
        full, found = etcd_sees(known, me)
        assert not full
        assert found == {each.id for each in known.members}


def test_people_are_shown_all() -> None:
    three = token(3, 1, 2, 3)
    assert shown(three, 99, to_etcd=False) == (three.members, 99)


def test_find() -> None:
    old = replace(token(3, 1), replaced=1.0)
    now = replace(token(3), token="f" * 32)
    bare = replace(token(3), token="e" * 32, cluster="")
    tokens = [old, now, bare]
    assert find(tokens, "prod") == now
    assert find(tokens, f"https://x/{WORD}/") == find(tokens, old.id) == find(tokens, WORD) == old
    assert find(tokens, bare.id) == bare
    assert find(tokens, "") is find(tokens, "other") is None


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "$(id)", "a\n", "ü", "x" * 64])
def test_names_of_clusters(name: str) -> None:
    assert name_fault(name) is not None
    assert name_fault("prod-1.eu_west") is None
