"""Reading requests, etcd's and others'."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.discovery.request import Ask, Malformed, parse, path

WORD = "0123456789abcdef" * 2


def test_what_etcd_asks() -> None:
    query = "quorum=false&recursive=false&sorted=false"
    assert parse("GET", f"/{WORD}/_config/size?{query}") == Ask("size", WORD, by_etcd=True)
    assert parse("GET", f"/{WORD}?{query}") == Ask("token", WORD, by_etcd=True)
    wait = "wait=true&waitIndex=7&recursive=true"
    assert parse("GET", f"/{WORD}?{wait}") == Ask("token", WORD, wait=True, since=7)
    body = b"value=n1%3Dhttp%3A%2F%2F192.0.2.1%3A2380"
    wanted = Ask("member", WORD, "ab1", new_only=True, value="n1=http://192.0.2.1:2380")
    assert parse("PUT", f"/{WORD}/ab1?prevExist=false", body) == wanted


def test_what_people_ask() -> None:
    assert parse("GET", "/new?size=3") == Ask("new", size="3")
    assert parse("POST", "/new", b"size=4&force=true") == Ask("new", size="4", force=True)
    assert parse("GET", f"/{WORD}/") == Ask("token", WORD)
    assert parse("GET", "/health") == Ask("health")


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("DELETE", f"/{WORD}/ab1", 405),
        ("PUT", f"/{WORD}/_config/size", 405),
        ("PUT", f"/{WORD}", 405),
        ("GET", "/", 404),
        ("GET", f"/{WORD[:-1]}", 404),
        ("GET", f"/{WORD}0", 404),
        ("GET", f"/{WORD.upper()}", 404),
        ("GET", f"/{WORD}/../{WORD}", 404),
        ("GET", f"/{WORD}/_config", 404),
        ("PUT", f"/{WORD}/nope", 404),
        ("GET", f"/{WORD}?recursive=maybe", 400),
        ("GET", f"/{WORD}?wait=true&waitIndex=x", 400),
        ("GET", f"/{WORD}?wait=true&waitIndex={'9' * 30}", 400),
        ("PUT", f"/{WORD}/ab1?prevExist=true", 400),
        ("GET", "//[", 404),
        ("GET", "http://[", 400),
        ("GET", "/new?" + "a=1&" * 99, 400),
    ],
)
def test_what_is_no_request(method: str, target: str, status: int) -> None:
    found = parse(method, target)
    assert isinstance(found, Malformed)
    assert found.status == status


@given(st.sampled_from(["GET", "PUT", "POST"]), st.text(max_size=99), st.binary(max_size=99))
def test_noise(method: str, target: str, body: bytes) -> None:
    assert parse(method, target, body) is not None


def test_no_token_is_in_a_path_for_the_log() -> None:
    for target in (f"/{WORD}", f"/{WORD}/ab1", f"/{WORD}/_config/size", f"/{WORD}x/y", f"/{WORD}{WORD}?a={WORD}"):
        assert WORD not in path(parse("GET", target), target, "1f2e3d4c")
    assert path(parse("GET", f"/{WORD}/ab1"), "", "1f2e3d4c") == "/1f2e3d4c.../ab1"
