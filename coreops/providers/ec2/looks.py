"""What EC2 shows of machines: page by page, and for many threads at a time by one call.

While a call is under way, the questions that come wait, and go together in the next one: nobody waits for a timer. No
answer is older than its question.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from coreops.providers.ec2 import request
from coreops.providers.ec2.machines import tags_of

PAGE = 1000
MOST = 200
"""As many values as EC2 takes in one filter."""

Instance = Mapping[str, Any]
Found = Sequence[Instance]


def every(client: Any, asked: Mapping[str, Any], size: int | None = None) -> Iterator[dict[str, Any]]:
    """Page by page, as far as somebody looks. EC2 allows no pages where ids are asked for."""
    config = {} if "InstanceIds" in asked else {"PageSize": size or PAGE}
    for page in client.get_paginator("describe_instances").paginate(**asked, PaginationConfig=config):
        yield from (one for reservation in page["Reservations"] for one in reservation["Instances"])


class Looks:
    """Single machines of one region. botocore's errors pass, to everybody who asked."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._marks = _Together(self._by_mark)
        self._ids = _Together(self._by_id)

    def marked(self, mark: str) -> Found:
        """Those with a mark, dead ones too."""
        return self._marks.ask(mark)

    def machine(self, machine: str) -> Instance | None:
        """One by its id; None when EC2 does not show it (yet)."""
        return next(iter(self._ids.ask(machine)), None)

    def _by_mark(self, marks: Sequence[str]) -> Iterator[tuple[str, Instance]]:
        for one in every(self._client, request.marked(marks)):
            yield tags_of(one).get(request.MARK, ""), one

    def _by_id(self, ids: Sequence[str]) -> Iterator[tuple[str, Instance]]:
        for one in every(self._client, request.named(ids)):
            yield one["InstanceId"], one


class _Together:
    """Questions of many threads, MOST at a time in one call."""

    def __init__(self, look: Callable[[Sequence[str]], Iterator[tuple[str, Instance]]]) -> None:
        self._look = look
        self._waiting: dict[str, Future[Found]] = {}
        self._turn = threading.Condition()
        self._busy = False

    def ask(self, key: str) -> Found:
        with self._turn:
            future = self._waiting.setdefault(key, Future())
        while not future.done():
            with self._turn:
                while self._busy and not future.done():
                    self._turn.wait()
                if future.done():
                    break
                self._busy = True
                taken = {name: self._waiting.pop(name) for name in list(self._waiting)[:MOST]}
            try:
                self._answer(taken)
            finally:
                with self._turn:
                    self._busy = False
                    self._turn.notify_all()
        return future.result()

    def _answer(self, taken: Mapping[str, Future[Found]]) -> None:
        found: dict[str, list[Instance]] = {name: [] for name in taken}
        try:
            for name, one in self._look(list(taken)):
                found[name].append(one)
        except BaseException as error:
            for future in taken.values():
                future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for name, future in taken.items():
            future.set_result(found[name])
