"""fleet's HTTP API over a ``model.Fleet``: status, headers and bodies as api/*.go of fleet 1.0.0 has them; and a server
for it on unix sockets.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.schedulers.fleet.model import Fleet, Job, path_match

Answer = tuple[int, bytes]
TEMPLATE_TYPES = ["path", "service", "socket", "target", "timer"]
OTHER_TYPES = ["automount", "busname", "device", "mount", "scope", "slice", "snapshot", "swap"]
UNIT_TYPES = TEMPLATE_TYPES + OTHER_TYPES
PATH = re.compile(r"^/([^/]+)/metadata/([A-Za-z0-9_.-]+$)")


class Refused(Exception):
    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Service:
    """limit: entries a page (token_limit). down: fleetd has lost etcd."""

    def __init__(self, fleet: Fleet, limit: int = 100) -> None:
        self.fleet = fleet
        self.limit = limit
        self.down = False
        self.seen: list[tuple[str, str, bytes]] = []
        self.lock = threading.Lock()

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        with self.lock:
            self.seen.append((method, target, body))
            try:
                if self.down:
                    raise Refused(503, "fleet server unable to communicate with etcd")
                return self._route(method, target, headers, body)
            except Refused as no:
                return no.status, encode({"error": {"code": no.status, "message": no.message}})

    def _route(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        url = urlsplit(target)
        for prefix in ("/fleet/v1/", "/v1-alpha/"):
            if url.path.startswith(prefix):
                parts = [unquote(part) for part in url.path[len(prefix) :].split("/")]
                break
        else:
            raise Refused(405 if url.path == "/" else 404)
        query = parse_qs(url.query, keep_blank_values=True)
        if parts == ["machines"]:
            return self._machines(method, query, body)
        if parts[0] in ("units", "state") and len(parts) <= 2:
            if parts[0] == "state":
                return self._state(method, parts[1:], query)
            return self._units(method, parts[1:], query, headers, body)
        raise Refused(404)

    # api/machines.go

    def _machines(self, method: str, query: Mapping[str, list[str]], body: bytes) -> Answer:
        if method == "PATCH" and not self.fleet.old:
            return self._patch(body)
        if method != "GET":
            raise Refused(405, "only GET and PATCH supported against this resource")
        found = []
        for id in sorted(self.fleet.machines):
            machine = self.fleet.machines[id]
            raw = {"id": id, "metadata": self.fleet.metadata(machine), "primaryIP": machine.ip}
            found.append({key: value for key, value in raw.items() if value})
        return 200, self._page("machines", found, query)

    def _patch(self, body: bytes) -> Answer:
        try:
            ops = json.loads(body)
        except ValueError as error:
            raise Refused(400, str(error)) from error
        for op in ops:
            # Go matches keys of JSON without regard to case: `value` fills the untagged field Value
            value = op.get("value", {})
            if not isinstance(value, dict):
                raise Refused(400, "json: cannot unmarshal string into Go struct field")
            if op.get("op") not in ("add", "remove", "replace"):
                raise Refused(400, "invalid op: expect add, remove, or replace")
            if not PATH.match(op.get("path", "")):
                raise Refused(400, "machine metadata path invalid")
            if op["op"] != "remove" and not value.get("value"):
                raise Refused(400, "invalid value: add and replace require a value")
        for op in ops:
            found = PATH.match(op["path"])
            assert found is not None
            value = "" if op["op"] == "remove" else op["value"]["value"]
            self.fleet.dynamic.setdefault(found[1], {})[found[2]] = value
        return 204, b""

    # api/units.go

    def _units(
        self, method: str, item: list[str], query: Mapping[str, list[str]], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        jobs = self.fleet.jobs
        if not item:
            if method != "GET":
                raise Refused(405, "only GET supported against this resource")
            return 200, self._page("units", self.fleet.units(), query)
        (name,) = item
        if method == "GET":
            if name not in jobs:
                raise Refused(404, "unit does not exist")
            return 200, encode(self.fleet.unit(name))
        if method == "DELETE":
            if name not in jobs:
                raise Refused(404, "unit does not exist")
            del jobs[name]
            return 204, b""
        if method == "PUT":
            return self._set(name, headers, body)
        raise Refused(405, "only GET, PUT and DELETE supported against this resource")

    def _set(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        kind = {key.lower(): value for key, value in headers.items()}.get("content-type", "")
        if kind.split(";")[0].strip() != "application/json":
            raise Refused(415, "only acceptable Content-Type is application/json")
        try:
            unit = json.loads(body)
        except ValueError as error:
            raise Refused(400, f"unable to decode body: {error}") from error
        told = unit.get("name") or name
        if told != name:
            raise Refused(400, f'name in URL "{name}" differs from unit name in request body "{told}"')
        validate_name(name)
        options = unit.get("options") or []
        desired = unit.get("desiredState") or ""
        known = self.fleet.jobs.get(name)
        if known is None:
            if not options:
                raise Refused(409, "unit does not exist and options field empty")
            validate_options(options)
        if known is None or (options and plain(options) != plain(known.options) and not self.fleet.old):
            if desired not in ("", "inactive", "loaded", "launched"):
                raise Refused(500)
            target = known.target if known else ""
            self.fleet.jobs[name] = Job(name, plain(options), desired or "inactive", target)
            return 201, b""
        if not desired:
            raise Refused(409, "must provide DesiredState to update existing unit")
        stem = name[: name.rindex(".")]
        if stem.endswith("@") and desired != "inactive":
            raise Refused(400, f'cannot activate template "{name}"')
        known.target_state = desired
        return 204, b""

    # api/state.go

    def _state(self, method: str, item: list[str], query: Mapping[str, list[str]]) -> Answer:
        if method != "GET" or item:
            raise Refused(405, "only GET supported against this resource")
        found = [
            state
            for state in self.fleet.states()
            if state["machineID"] in query.get("machineID", [state["machineID"]])[:1]
            and state["name"] in query.get("unitName", [state["name"]])[:1]
        ]
        return 200, self._page("states", found, query)

    # api/pagination.go

    def _page(self, key: str, items: list[Any], query: Mapping[str, list[str]]) -> bytes:
        tokens = query.get("nextPageToken", [])
        if len(tokens) > 1:
            raise Refused(400, "too many values for page token")
        page = decode_token(tokens[0], self.limit) if tokens else 1
        start, stop = (page - 1) * self.limit, page * self.limit
        raw: dict[str, Any] = {}
        if start < len(items):
            raw[key] = items[start:stop]
            if stop <= len(items):
                raw["nextPageToken"] = token(self.limit, page + 1)
        return encode(raw)


def token(limit: int, page: int) -> str:
    return base64.urlsafe_b64encode(struct.pack("<HH", limit, page)).decode()


def decode_token(text: str, limit: int) -> int:
    try:
        told, page = struct.unpack("<HH", base64.b64decode(text, altchars=b"-_", validate=True)[:4])
    except (binascii.Error, struct.error) as error:
        raise Refused(400, str(error)) from error
    if told != limit:
        raise Refused(400, f"token limit must be {limit}")
    if page == 0:
        raise Refused(400, "token page must be greater than zero")
    return int(page)


def encode(raw: Any) -> bytes:
    """As Go's json.Marshal."""
    text = json.dumps(raw, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()


def plain(options: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{key: option.get(key, "") for key in ("section", "name", "value")} for option in options]


def validate_name(name: str) -> None:
    dot = name.rfind(".")
    suffix = name[dot + 1 :]
    if not name or len(name) > 256 or dot == -1 or suffix not in UNIT_TYPES:
        raise Refused(400, f'invalid unit type: "{suffix}"')
    if "@" in name and suffix not in TEMPLATE_TYPES:
        raise Refused(400, f'invalid unit type for template: "{suffix}"')
    if not re.fullmatch(r"[0-9A-Za-z:\-_.\\@]*", name[:dot], re.ASCII) or name.startswith("@"):
        raise Refused(400, "invalid character in unit name")


def validate_options(options: list[dict[str, str]]) -> None:
    for option in options:
        line = f"{option.get('name', '')}={option.get('value', '')}"
        if len(line) > 2046:
            raise Refused(400, "line too long (max 2048 bytes)")
    job = Job("", plain(options))
    replaces = job.values("Replaces")
    for peer in job.peers:
        if any(path_match(pattern, peer) for pattern in (*job.conflicts, *replaces)):
            raise Refused(400, f'unresolvable requirements: peer "{peer}" matches')
    for this, that, words in (
        (job.required, job.peers, "MachineID cannot be used with Peers"),
        (job.required, job.conflicts, "MachineID cannot be used with Conflicts"),
        (job.required, job.everywhere, "MachineID cannot be used with Global"),
        (job.required, replaces, "MachineID cannot be used with Replaces"),
        (job.everywhere, job.peers, "Global cannot be used with Peers"),
        (job.everywhere, replaces, "Global cannot be used with Replaces"),
        (job.conflicts, replaces, "Conflicts cannot be used with Replaces"),
    ):
        if this and that:
            raise Refused(400, words)


@contextmanager
def served(service: Service, socket: Path, before: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Serve on a unix socket. before: called before each request (time passes)."""

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "fleetd/1.0.0", ""

        def do(self) -> None:
            before()
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, said = service.handle(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            if said:
                self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_PUT = do_DELETE = do_PATCH = do_POST = do

        def log_message(self, format: str, *args: object) -> None:
            pass

        def address_string(self) -> str:
            return "unix"

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    server = Server(str(socket), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        socket.unlink()
