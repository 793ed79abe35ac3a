from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.adoption.candidate import Candidate, read
from coreops.errors import InputError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", Candidate("192.0.2.1")),
        ("n1=192.0.2.1:2222", Candidate("192.0.2.1", 2222, "n1")),
        ("2001:db8::1", Candidate("2001:db8::1")),
        ("::1", Candidate("::1")),
        ("n1=[2001:db8::1]:2222", Candidate("2001:db8::1", 2222, "n1")),
        ("n4.example.net", Candidate("n4.example.net")),
    ],
)
def test_where_a_machine_is(text: str, found: Candidate) -> None:
    assert read(text) == found
    assert read(f"x={found}") == Candidate(found.address, found.port, "x")


@pytest.mark.parametrize(
    "text",
    ["", "=192.0.2.1", "-oProxyCommand=x", "n1=-v", "a b", "$(id)", "192.0.2.1:0", "192.0.2.1:70000", "../x=192.0.2.1",
     "n1=a\nb", "n1=*"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(InputError):
        read(text)


@given(st.text())
def test_nothing_hostile_gets_through(text: str) -> None:
    try:
        found = read(text)
    except InputError:
        return
    assert not found.address.startswith("-")
    assert found.address.isprintable()
    assert not set(found.address + found.name) & set(" '\"`$*?/\\\n")
