"""Releases and channels as they stand in signed files."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.upgrade.channel import channels, custom
from coreops.upgrade.channel.channels import Channels
from coreops.upgrade.release import Release

RELEASE = Release(
    version="1.1.0",
    board="amd64-usr",
    target="amd64-usr/1.1.0.usr",
    size=25,
    sha256="a" * 64,
    codec="gzip",
    frame=100,
    frames=(10, 8, 7),
    usr_size=150,
    usr_sha256="b" * 64,
    kernel_size=50,
    kernel_sha256="c" * 64,
    min_from="1.0.0",
    barrier=True,
    deadend="no\nmore",
    notes="$(reboot) 'ü' `x`",
)


def decode(fields: object) -> Release:
    return custom.decode(RELEASE.target, RELEASE.size, RELEASE.sha256, fields, "repo")


def test_round_trip() -> None:
    assert decode(json.loads(json.dumps(custom.encode(RELEASE)))) == RELEASE


def test_unknown_fields_are_left_alone() -> None:
    assert decode(custom.encode(RELEASE) | {"later": [1]}) == RELEASE


@pytest.mark.parametrize("key", sorted(custom.encode(RELEASE)))
def test_a_field_that_is_missing_or_wrong(key: str) -> None:
    fields = custom.encode(RELEASE)
    with pytest.raises(InputError, match=f"{key} is missing") as caught:
        decode({name: value for name, value in fields.items() if name != key})
    assert RELEASE.target in caught.value.what
    assert caught.value.where == "repo"
    for wrong in (None, -1, 1.5, {}, [0], [True], "../x", ["x"]):
        if wrong == "../x" and key in ("deadend", "notes"):
            continue
        with pytest.raises(InputError, match=key):
            decode(fields | {key: wrong})


@pytest.mark.parametrize("fields", [None, [], "text", 7])
def test_no_description(fields: object) -> None:
    with pytest.raises(InputError, match="it has no description"):
        decode(fields)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RELEASE, version="1.2.0"),
        replace(RELEASE, board="arm64-usr"),
        replace(RELEASE, frames=(10, 8, 8)),
        replace(RELEASE, frames=(10, 15)),
        replace(RELEASE, usr_size=250),
        replace(RELEASE, kernel_size=0),
        replace(RELEASE, kernel_sha256=""),
        replace(RELEASE, codec="none"),
    ],
)
def test_contradictions(wrong: Release) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        decode(custom.encode(wrong))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(custom.encode(RELEASE))), json_values)
def test_any_value_is_read_or_an_error(key: str, value: object) -> None:
    with contextlib.suppress(InputError):
        decode(custom.encode(RELEASE) | {key: value})


@pytest.mark.parametrize("name", ["", "Stable", "a/b", "..", "-x", "a b", "ü", "x" * 33, "a\n"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a channel"):
        custom.check_name("channel", name)


names = st.text(min_size=1, max_size=5)


@given(st.dictionaries(names, st.dictionaries(names, names, max_size=3), max_size=3), names, names, names)
def test_channels(boards: dict[str, dict[str, str]], channel: str, board: str, version: str) -> None:
    moved = Channels(boards).moved(channel, board, version)
    assert channels.decode(channels.encode(moved)) == moved
    assert moved.boards[board][channel] == version
    assert {key: value for key, value in moved.boards.items() if key != board} == {
        key: value for key, value in boards.items() if key != board
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"boards": 1}',
        b'{"boards": {"b": []}}',
        b'{"boards": {"b": {"c": 1}}}',
        b"[" * 9999,
    ],
)
def test_channels_that_cannot_be_read(data: bytes) -> None:
    with pytest.raises(InputError, match=r"channels\.json"):
        channels.decode(data)


def test_channels_may_grow() -> None:
    assert channels.decode(b'{"boards": {}, "later": 1}') == Channels({})
