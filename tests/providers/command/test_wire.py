"""What a program may say, and what one error makes of everything else."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import CoreopsError
from coreops.model import Position
from coreops.providers.command import wire
from coreops.providers.protocol import Machine, Wanted, mark

HOSTILE = ["a b", "'\"", "$(reboot)", "`id`", "-rf", "*", "\u202e\u00e9", "two\nlines"]
GOOD = {"node": "n1", "mark": mark("c", "n1"), "id": "i-1", "state": "running", "addresses": {}, "facts": {}}
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "x", "error", "coreops"]), inner),
    max_leaves=20,
)


def wanted(**settings: Any) -> Wanted:
    return Wanted("n1", "c", b"\x1f\x8bbinary", {f"command_{k}": v for k, v in settings.items()}, Position("h"))


@pytest.mark.parametrize("value", HOSTILE)
def test_a_request_carries_everything_as_it_is(value: str) -> None:
    told = json.loads(wire.create(wanted(size=value, program="p", timeout=3, target="coreos", other_thing=[value])))
    assert told["settings"] == {"size": value, "other_thing": [value]}
    assert base64.b64decode(told["user_data"]) == b"\x1f\x8bbinary"
    assert (told["coreops"], told["verb"], told["mark"]) == (1, "create", mark("c", "n1"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "did not answer `create` with JSON"),
        (b"\xff\xfe", "did not answer `create` with JSON"),
        (b"[" * 100_000, "did not answer `create` with JSON"),
        (b"Created n1\n{}", "it said 'Created n1"),
        (b"{}", "does not speak version 1"),
        (b'{"coreops": 2}', "does not speak version 1"),
        (b"[1]", "does not speak version 1"),
        (b'{"coreops": 1, "error": {"why": "quota \'x\'", "next": "wait"}}', "refused `create`\n  why: quota 'x'"),
        (b'{"coreops": 1, "error": "quota"}', "why: quota"),
        (b'{"coreops": 1, "error": {}}', "it gives no reason"),
    ],
)
def test_an_answer_that_is_none_is_one_error(data: bytes, why: str) -> None:
    with pytest.raises(CoreopsError) as caught:
        wire.answer(data, "cloud", "create")
    assert why in str(caught.value)
    assert caught.value.next
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"node": "n2"}, "another machine"),
        ({"mark": "0" * 40}, "another machine"),
        ({"mark": 3}, '"mark"'),
        ({"id": ""}, '"id"'),
        ({"id": "a\nb"}, '"id"'),
        ({"node": None}, '"node"'),
        ({"state": "up"}, '"state"'),
        ({"state": []}, '"state"'),
        ({"addresses": {"private_ipv4": "10.0.0.1,*"}}, "private_ipv4"),
        ({"addresses": {"private_ipv4": "fd00::1"}}, "private_ipv4"),
        ({"addresses": {"ip": "10.0.0.1"}}, '"ip"'),
        ({"addresses": []}, '"addresses"'),
        ({"facts": {"cpus": 4}}, '"facts"'),
    ],
)
def test_a_machine_that_is_none_is_one_error(change: dict[str, Any], why: str) -> None:
    with pytest.raises(CoreopsError) as caught:
        wire.one_machine({"machine": GOOD | change}, wanted(), "cloud")
    assert why in str(caught.value)


def test_machines_of_others_are_left_out_and_twins_are_an_error() -> None:
    others = [GOOD | {"mark": "0" * 40, "id": "x"}, GOOD | {"mark": mark("d", "n1")}, {**GOOD, "mark": ""}]
    assert wire.our_machines({"machines": [*others, GOOD]}, "c", "cloud") == (Machine("n1", "i-1", "running"),)
    with pytest.raises(CoreopsError, match="two machines carry the mark of n1"):
        wire.our_machines({"machines": [GOOD, GOOD | {"id": "i-2"}]}, "c", "cloud")


@pytest.mark.parametrize("keys", [None, "ssh-ed25519 AAAA", [1], {}])
def test_host_keys_are_a_list_of_texts(keys: object) -> None:
    with pytest.raises(CoreopsError, match="host_keys"):
        wire.host_keys({"host_keys": keys}, "cloud")


@given(JSON)
def test_whatever_is_said_is_understood_or_an_error(said: Any) -> None:
    for found in (said, {"coreops": 1, "machine": said}, {"coreops": 1, "machines": [said]}):
        with suppress(CoreopsError):
            answer = wire.answer(json.dumps(found).encode(), "cloud", "observe")
            with suppress(CoreopsError):
                wire.one_machine(answer, wanted(), "cloud")
            wire.our_machines(answer, "c", "cloud")
