"""Questions of many threads go together, each gets its own answer, and none an old one."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from coreops.providers.ec2 import looks
from coreops.providers.ec2.looks import Looks


class Client:
    """EC2, as far as it lists machines; each call waits until it may go on."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.go_on = threading.Event()
        self.begun = threading.Event()
        self.broken = False
        self.version = 0

    def get_paginator(self, operation: str) -> Client:
        assert operation == "describe_instances"
        return self

    def paginate(self, *, Filters: list[dict[str, Any]], PaginationConfig: Mapping[str, int]) -> Iterator[Any]:
        (one,) = Filters
        self.calls.append(one["Values"])
        version = self.version
        self.begun.set()
        assert self.go_on.wait(60)
        if self.broken:
            raise ConnectionError("gone")
        there = [{"InstanceId": name, "version": version} for name in one["Values"] if not name.startswith("no")]
        yield {"Reservations": [{"Instances": there}]}


def test_they_go_together() -> None:
    client = Client()
    asked = Looks(client)
    names = [f"i-{number}" for number in range(30)] + ["no-1"]
    with ThreadPoolExecutor(len(names) + 1) as pool:
        first = pool.submit(asked.machine, "i-0")
        assert client.begun.wait(60)
        client.version = 1
        others = [pool.submit(asked.machine, name) for name in names]
        waiting = asked._ids._waiting
        deadline = threading.Event()
        while len(waiting) < len(names):
            deadline.wait(0.01)
        client.go_on.set()
        found = [each.result(60) for each in others]
    assert (first.result() or {})["version"] == 0
    assert [each and each["InstanceId"] for each in found] == [*names[:-1], None]
    assert {each["version"] for each in found if each} == {1}, "who asks later gets no answer that was under way"
    assert client.calls[0] == ["i-0"]
    assert sorted(client.calls[1]) == sorted(names)
    assert len(client.calls) == 2


def test_not_more_at_a_time_than_ec2_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "MOST", 4)
    client = Client()
    asked = Looks(client)
    with ThreadPoolExecutor(11) as pool:
        found = [pool.submit(asked.machine, f"i-{number}") for number in range(11)]
        assert client.begun.wait(60)
        client.go_on.set()
        assert [(each.result(60) or {})["InstanceId"] for each in found] == [f"i-{number}" for number in range(11)]
    assert max(len(call) for call in client.calls) <= 4


def test_an_error_reaches_everybody_and_the_next_question_is_asked_anew() -> None:
    client = Client()
    asked = Looks(client)
    client.broken = True
    with ThreadPoolExecutor(5) as pool:
        found = [pool.submit(asked.machine, f"i-{number}") for number in range(5)]
        assert client.begun.wait(60)
        client.go_on.set()
        for each in found:
            with pytest.raises(ConnectionError):
                each.result(60)
    client.broken = False
    assert asked.machine("i-1")
