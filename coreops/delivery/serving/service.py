"""From a request to an answer and back to the records: the rules, the tickets, the audit log. Knows no sockets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus

from coreops.delivery.serving import answer as rules_of
from coreops.delivery.serving.answer import BUSY, GONE, MALFORMED, Answer, Rules
from coreops.delivery.serving.request import Ask, parse, redacted, shown
from coreops.delivery.serving.site import Site
from coreops.delivery.serving.tickets import Claim, Denied, Tickets
from coreops.errors import CoreopsError
from coreops.serving.audit import Audit, Entry
from coreops.serving.listen import as_reached
from coreops.serving.wire import Ending

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send. claim: to be ended by ``done``. etag: "" for what must not be kept."""

    answer: Answer
    entry: Entry
    claim: Claim | None = None
    etag: str = ""


class Service:
    """Answers requests. ``site`` may be replaced at any time; a request sees one of them. tell: a line for people."""

    def __init__(
        self,
        site: Site,
        tickets: Tickets,
        rules: Rules,
        tell: Tell,
        *,
        audit: Audit | None = None,
        url: str | None = None,
        reissue: str = "",
    ) -> None:
        self.site = site
        self._tickets = tickets
        self._rules = rules
        self._tell = tell
        self._audit = audit
        self._url = url
        self._reissue = reissue

    def ask(self, method: str, target: str, peer: str, *, host: str, own: str, none_match: str = "") -> Reply:
        """Answer a GET or HEAD. host: what the request calls this server; own: what this server calls itself."""
        ask = parse(target)
        entry = Entry(peer, shown(ask) if ask else "", path=_page(ask, target), method=method)
        if self._audit is not None and self._audit.trouble:
            return Reply(replace(BUSY, outcome="the audit log cannot be written"), entry)
        if ask is None:
            return Reply(MALFORMED, entry)
        base = self._url or as_reached(own, host)
        try:
            return self._reply(ask, entry, base, none_match)
        except CoreopsError as error:
            self._tell(str(error))
            return Reply(replace(BUSY, outcome=error.what), entry)

    def done(self, reply: Reply, sent: int, ending: Ending) -> None:
        """Record how it went. sent: bytes of the body."""
        answer = reply.answer
        outcome = answer.outcome
        if answer.status == HTTPStatus.OK and ending != "delivered":
            outcome = "sent, not confirmed" if ending == "in doubt" and sent == len(answer.body) else "cut off"
        if reply.claim is not None:
            try:
                self._tickets.end(reply.claim, ending)
            except CoreopsError as error:
                self._tell(str(error))
        self.record(
            replace(reply.entry, node=answer.node, status=answer.status, outcome=outcome, bytes=sent), answer.by
        )

    def record(self, entry: Entry, by: str = "") -> None:
        """A line in the log, and one for people."""
        if self._audit is not None:
            self._audit.write(entry)
            if self._audit.trouble:
                self._tell(f"the audit log cannot be written, nothing more is served: {self._audit.trouble}")
        who = f"{entry.node} " if entry.node else ""
        said = by or entry.selector
        names = f" ({said})" if said else ""
        what = f"{entry.method} {entry.path}".strip() or "-"
        self._tell(f"{entry.peer} {who}{what} {entry.status} {entry.outcome}, {entry.bytes} bytes{names}")

    def _reply(self, ask: Ask, entry: Entry, base: str, none_match: str) -> Reply:
        token = rules_of.well_formed(ask)
        ticket = self._tickets.owner(token) if token else None
        if ticket is not None:
            entry = replace(entry, token=ticket.id)
        owner = ticket.node if ticket else None
        found = rules_of.answer(self.site, ask, entry.peer, owner, self._rules, base)
        if found.status != HTTPStatus.OK:
            return Reply(found, entry)
        if found.once:
            return self._once(found, entry)
        etag = f'"{hashlib.sha256(found.body).hexdigest()[:32]}"'
        if etag in none_match or none_match.strip() == "*":
            return Reply(
                replace(found, status=HTTPStatus.NOT_MODIFIED, outcome="not modified", body=b""), entry, None, etag
            )
        return Reply(found, entry, None, etag)

    def _once(self, found: Answer, entry: Entry) -> Reply:
        claim = self._tickets.begin(found.node, entry.peer, self._rules.grace, look=entry.method == "HEAD")
        if isinstance(claim, Claim):
            return Reply(
                found if claim.id or entry.method == "HEAD" else replace(found, outcome="served again"), entry, claim
            )
        before = claim.ticket
        if claim.busy:
            return Reply(replace(BUSY, node=found.node, by=found.by, outcome=f"being sent to {before.peer}"), entry)
        outcome = f"refused: {_before(claim)}"
        self._tell(f"{found.node}: {entry.peer} was refused: {_before(claim)}{self._hint(found.node)}")
        return Reply(Answer(HTTPStatus.GONE, outcome, GONE, node=found.node, by=found.by), entry)

    def _hint(self, node: str) -> str:
        return f"; if that was the machine: {self._reissue} {node}" if self._reissue else ""


def _before(denied: Denied) -> str:
    when = datetime.fromtimestamp(denied.ticket.at, UTC)
    verb = "served" if denied.ticket.state == "served" else "sent, not confirmed,"
    return f"{verb} before to {denied.ticket.peer} on {when:%Y-%m-%d at %H:%M:%S} UTC"


def _page(ask: Ask | None, target: str) -> str:
    return ask.page if ask is not None and ask.page else redacted(target.partition("?")[0])
