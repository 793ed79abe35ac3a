"""HTTP for a ``Service``: GET and HEAD. What is served once counts when the peer has it."""

from __future__ import annotations

import ssl

from coreops.delivery.serving.service import Reply, Service
from coreops.serving import server
from coreops.serving.audit import Entry
from coreops.serving.listen import Listen
from coreops.serving.server import Limits as Limits
from coreops.serving.service import Request, Response
from coreops.serving.wire import Ending


class Pages:
    """A ``Service`` as the server wants it."""

    methods: tuple[str, ...] = ("GET", "HEAD")
    body = 0

    def __init__(self, service: Service) -> None:
        self._service = service

    def answer(self, request: Request) -> Response:
        """Ask the service, and say how long its answer may be kept."""
        reply = self._service.ask(
            request.method,
            request.target,
            request.peer,
            host=request.host,
            own=request.own,
            none_match=request.none_match,
        )
        headers = (
            (("ETag", reply.etag), ("Cache-Control", "no-cache")) if reply.etag else (("Cache-Control", "no-store"),)
        )
        found = reply.answer
        confirm = reply.claim is not None and bool(reply.claim.id)
        return Response(found.status, found.body, found.type, headers, confirm, reply)

    def done(self, response: Response, sent: int, ending: Ending) -> None:
        """Tell the service how it went."""
        reply: Reply = response.about
        self._service.done(reply, sent, ending)

    def record(self, entry: Entry) -> None:
        """Tell the service of a connection that came to nothing."""
        self._service.record(entry)


class Server(server.Server):
    """Listens already when made. Raises InputError for an address that cannot be had."""

    def __init__(
        self, listen: Listen, service: Service, limits: Limits | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(listen, Pages(service), limits, tls)
