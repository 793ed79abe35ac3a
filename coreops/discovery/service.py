"""From a request to an answer and back to the records: the ledger, who waits, the audit log. Knows no sockets."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from coreops.discovery import answer
from coreops.discovery.ledger import Ledger
from coreops.discovery.registry import (
    EXISTS,
    NOT_FOUND,
    REPLACED,
    Member,
    Refused,
    Token,
    event,
    identify,
    shown,
    size_fault,
)
from coreops.discovery.request import Ask, Malformed, parse, path
from coreops.errors import CoreopsError, RefusedError
from coreops.identity import identity
from coreops.serving.audit import Audit, Entry
from coreops.serving.listen import as_reached
from coreops.serving.service import Request, Response
from coreops.serving.wire import Ending

PATIENCE: Final = 55.0
"""Seconds that a wait lasts at most; less than what proxies on the way think is forever."""
LOOK: Final = 1.0
"""Seconds between two looks whether who waits is still there."""
DEFAULT_SIZE: Final = 3


class Discovery:
    """Answers etcd, and people. tell: a line for them."""

    methods: tuple[str, ...] = ("GET", "PUT", "POST")
    body = 8192

    def __init__(
        self,
        ledger: Ledger,
        tell: Callable[[str], None],
        *,
        audit: Audit | None = None,
        url: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._ledger = ledger
        self._tell = tell
        self._audit = audit
        self._url = url
        self._patience = patience
        self._change = threading.Condition()
        self._changes: Counter[str] = Counter()
        self._stopping = False

    def stop(self) -> None:
        """Let nobody wait any longer; who asks again finds the next server."""
        with self._change:
            self._stopping = True
            self._change.notify_all()

    def answer(self, request: Request) -> Response:
        """Answer one request; a wait takes its time."""
        ask = parse(request.method, request.target, request.body)
        called = identify(ask.token) if isinstance(ask, Ask) and ask.token else ""
        entry = Entry(request.peer, path=path(ask, request.target, called), method=request.method, token=called)
        if self._audit is not None and self._audit.trouble:
            return self._about(answer.text(503, "busy, ask again\n"), entry, "the audit log cannot be written")
        if isinstance(ask, Malformed):
            found = answer.error(ask.code, ask.why, 0) if ask.code else answer.text(ask.status, f"{ask.why}\n")
            return self._about(found, entry, ask.why)
        try:
            return self._answer(ask, request, entry)
        except RefusedError as error:
            return self._about(answer.text(403, f"{error.what}\n"), entry, error.what)
        except CoreopsError as error:
            self._tell(str(error))
            return self._about(answer.text(503, "busy, ask again\n"), entry, error.what)

    def done(self, response: Response, sent: int, ending: Ending) -> None:
        """Record how it went."""
        entry: Entry = response.about
        outcome = entry.outcome if ending == "delivered" else f"{entry.outcome}, cut off"
        self.record(replace(entry, status=response.status, outcome=outcome, bytes=sent))

    def record(self, entry: Entry) -> None:
        """A line in the audit log."""
        if self._audit is not None:
            self._audit.write(entry)
            if self._audit.trouble:
                self._tell(f"the audit log cannot be written, nothing more is answered: {self._audit.trouble}")

    def _answer(self, ask: Ask, request: Request, entry: Entry) -> Response:
        if ask.page == "health":
            self._ledger.get("")
            return self._about(answer.text(200, "OK"), entry, "healthy")
        if ask.page == "new":
            return self._new(ask, request, entry)
        token, index = self._ledger.get(ask.token)
        if token is None:
            return self._about(answer.unknown(ask.token, "", index), entry, "unknown token")
        entry = replace(entry, selector=token.cluster)
        if token.replaced:
            return self._about(answer.error(NOT_FOUND, REPLACED, index), entry, "replaced token")
        if ask.page == "hello":
            return self._hear(ask, token, request.peer, entry)
        if token.store:
            return self._about(answer.unknown(ask.token, "", index), entry, "a token for another etcd")
        if ask.page == "size":
            return self._about(answer.size(token, index), entry, "size")
        if request.method == "PUT":
            return self._register(ask, request.peer, entry)
        if ask.wait:
            return self._wait(ask, request, entry, index)
        if ask.page == "token":
            seen, index = shown(token, index, to_etcd=ask.by_etcd)
            return self._about(answer.members(token, seen, index), entry, f"{len(token.members)} of {token.size}")
        one = event(token, ask.member, 0)
        if one is None:
            return self._about(answer.unknown(ask.token, ask.member, index), entry, "unknown member")
        return self._about(answer.member(token, one, index), replace(entry, node=one.name), "member")

    def _new(self, ask: Ask, request: Request, entry: Entry) -> Response:
        text = ask.size or str(DEFAULT_SIZE)
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
            return self._about(answer.text(400, "size is not a number\n"), entry, "no size")
        fault = size_fault(int(text), even=ask.force)
        if fault is not None:
            more = "" if size_fault(int(text), even=True) else "; force=true makes it all the same"
            return self._about(answer.text(400, f"{fault}{more}\n"), entry, fault)
        token = self._ledger.new(int(text), self._url or as_reached(request.own, request.host))
        self._tell(f"{token.name}: made for {token.size} members, for {request.peer}")
        return self._about(answer.text(200, token.url), replace(entry, token=token.id), "made")

    def _hear(self, ask: Ask, token: Token, peer: str, entry: Entry) -> Response:
        """A machine tells who it is; whether it is so is for whoever adopts it to find out."""
        told = identity.parse(ask.value)
        if not told.machine_id:
            return self._about(answer.text(400, "this says no machine-id\n"), entry, "no machine-id")
        entry = replace(entry, node=told.hostname or told.machine_id)
        if self._ledger.hear(token.token, told.machine_id, ask.value, peer):
            self._tell(f"{token.name}: {told.hostname} at {peer} waits to be adopted (machine-id {told.machine_id})")
        return self._about(answer.text(200, "heard\n"), entry, "heard")

    def _register(self, ask: Ask, peer: str, entry: Entry) -> Response:
        token, found, new = self._ledger.register(ask.token, ask.member, ask.value, peer)
        name = ask.value.partition("=")[0][:80] or ask.member
        entry = replace(entry, node=name)
        _, index = self._ledger.get(ask.token)
        if isinstance(found, Refused):
            self._tell(f"{token.name}: REFUSED {name} ({ask.member}) from {peer}: {found.why}")
            taken = found.code == EXISTS
            said = answer.taken(ask.token, ask.member, index) if taken else answer.error(found.code, found.why, index)
            return self._about(said, entry, f"refused: {found.why}")
        if new:
            with self._change:
                self._changes[ask.token] += 1
                self._change.notify_all()
        self._tell(self._arrival(token, found, peer, new))
        action = "create" if ask.new_only else "set"
        response = answer.member(token, found, index, action, 201)
        return self._about(response, entry, "registered" if new else "registered before")

    @staticmethod
    def _arrival(token: Token, one: Member, peer: str, new: bool) -> str:
        verb = "registered" if new else "registered before, and starts over"
        count = "all are here" if token.full else f"{len(token.members)} of {token.size}"
        return f"{token.name}: {one.name} {verb} from {peer}, {count}"

    def _wait(self, ask: Ask, request: Request, entry: Entry, now: int) -> Response:
        since = ask.since or now + 1
        deadline = time.monotonic() + self._patience
        while True:
            with self._change:
                seen = self._changes[ask.token]
            foreign = self._ledger.foreign()
            token, index = self._ledger.get(ask.token)
            found = event(token, ask.member or None, since) if token is not None else None
            if token is not None and found is not None:
                entry = replace(entry, node=found.name)
                return self._about(answer.member(token, found, index, "create"), entry, "told")
            if not self._pause(ask.token, seen, foreign, deadline, request.gone):
                return self._about(answer.nothing(index), entry, "nothing new")

    def _pause(self, token: str, seen: int, foreign: int, deadline: float, gone: Callable[[], bool]) -> bool:
        """Wait until somebody may have registered under a token, here or in another program; False: wait no more."""
        while True:
            left = deadline - time.monotonic()
            if self._stopping or left <= 0 or gone():
                return False
            with self._change:
                if self._change.wait_for(lambda: self._stopping or self._changes[token] != seen, min(LOOK, left)):
                    return not self._stopping
            if self._ledger.foreign() != foreign:
                return True

    @staticmethod
    def _about(response: Response, entry: Entry, outcome: str) -> Response:
        return replace(response, about=replace(entry, outcome=outcome))
