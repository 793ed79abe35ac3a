"""Lines of known_hosts: what is a key, and whose lines are taken out."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import CoreopsError
from coreops.provision import trust
from tests.provision.cloud import key

LINE = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1)


def test_lines_name_all_ways_to_a_machine() -> None:
    assert trust.lines(["n1", "192.0.2.1"], [f"{key('a')} root@n1"], "n1") == (f"n1,192.0.2.1 {key('a')}",)
    assert trust.lines([], [key("a")], "n1") == ()


@pytest.mark.parametrize(
    "bad", ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa " + key("a").split()[1], "* *", "@revoked n1 x", "a b\nc"]
)
def test_what_is_no_key_is_an_error(bad: str) -> None:
    with pytest.raises(CoreopsError, match="not a host key"):
        trust.lines(["n1"], [bad], "n1")


@pytest.mark.parametrize("bad", ["", "*", "192.0.2.1,*", "a b", "a\nb", "!a", "|1|x", "@revoked"])
def test_what_is_no_name_is_an_error(bad: str) -> None:
    with pytest.raises(CoreopsError, match="cannot be reached"):
        trust.lines(["n1", bad], [key("a")], "n1")


@given(st.text())
def test_no_key_makes_more_than_one_line(text: str) -> None:
    try:
        (line,) = trust.lines(["n1"], [text], "n1")
    except CoreopsError:
        return
    assert len(line.splitlines()) == 1


@given(st.lists(LINE, unique=True), st.lists(LINE, unique=True), st.lists(LINE, unique=True))
def test_only_old_lines_go_and_new_ones_come_once(mine: list[str], old: list[str], new: list[str]) -> None:
    text = "".join(f"{line}\n" for line in (*mine, *(line for line in old if line not in mine)))
    after = trust.rewritten(text, old, new).removesuffix("\n").split("\n")
    assert [line for line in after if line in mine and line not in old] == [line for line in mine if line not in old]
    assert set(new) <= set(after)
    assert not (set(old) - set(new)) & set(after)
    assert trust.rewritten(trust.rewritten(text, old, new), old, new) == trust.rewritten(text, old, new)


HASHED = "|1|MDEyMzQ1Njc4OTAxMjM0NTY3ODk=|4q6jJfCZ9H4DYUx0k5Z8cXrXQ2s="


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"n1 {key('a')}", True),
        (f"N1,192.0.2.1 {key('a')}", True),
        (f"192.0.2.? {key('a')}", True),
        (f"[n1]:2222 {key('a')}", True),
        (f"@cert-authority *,!n9 {key('a')}", True),
        (f"*,!n1,!192.0.2.1 {key('a')}", False),
        (f"@revoked n1 {key('a')}", False),
        (f"n11 {key('a')}", False),
        (f"# n1 {key('a')}", False),
        ("n1", False),
        ("|1|nonsense ssh-ed25519 AAAA", False),
        (f"{HASHED} {key('a')}", False),
        ("", False),
    ],
)
def test_what_an_operator_wrote_about_a_machine(line: str, said: bool) -> None:
    assert trust.names(line, ["n1", "192.0.2.1"]) is said


def test_a_hashed_name_is_one() -> None:
    salt = b"01234567890123456789"
    digest = hmac.new(salt, b"n1", hashlib.sha1).digest()
    name = "|1|" + "|".join(base64.b64encode(part).decode() for part in (salt, digest))
    assert trust.names(f"{name} {key('a')}", ["n1"])
    assert not trust.names(f"{name} {key('a')}", ["n2"])


@given(LINE)
def test_any_line_is_judged(line: str) -> None:
    trust.names(line, ["n1", "[fe80::1]"])
