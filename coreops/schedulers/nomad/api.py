"""Asks the Nomad agent of the node a talk runs on, over its HTTP API and with the node's own certificate. JSON is read
here and nowhere on the node.

Endpoints as in Nomad's API documentation (website/content/api-docs of hashicorp/nomad, v1.7.7) and command/agent/*.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from coreops.errors import HostFailed
from coreops.model import Record, ShellStep
from coreops.schedulers.body import travel
from coreops.schedulers.protocol import Elsewhere, Pause, Talk, ask

SCRIPT = Path(__file__).with_name("api.sh")
_LIMIT = 20
_PAGE = 500
_TRIES = 20
_BUSY = (429, 502, 503, 504)
_PASSING = ("No cluster leader", "Not ready to serve consistent reads", "leadership lost", "leadership transfer")


@dataclass(frozen=True, slots=True)
class Reply:
    """status: of HTTP. value: the JSON in it, or the text when it is none. next: where the next page begins."""

    status: int
    value: Any
    next: str = ""

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Api:
    """The agent of one node. pki: the folder with ca.crt, node.crt, node.key there; and token, where there are ACLs."""

    port: int
    pki: str

    def pages(self, path: str) -> Talk[list[Any]]:
        """All of a list that may be longer than what one answer can carry."""
        path += "&" if "?" in path else "?"
        found: list[Any] = []
        token = ""
        while True:
            more = f"&next_token={quote(token, safe='')}" if token else ""
            reply = yield from self.request("GET", f"{path}per_page={_PAGE}{more}")
            found += good(reply, f"read {path.partition('?')[0]}")
            token = reply.next
            if not token:
                return found

    def get(self, path: str, *, absent: bool = False) -> Talk[Any]:
        """What is there. absent: None when it is not (404). Raises HostFailed, Elsewhere."""
        reply = yield from self.request("GET", path)
        if absent and reply.status == 404:
            return None
        return good(reply, f"read {path}")

    def put(
        self, path: str, body: Mapping[str, Any] | None, what: str, *, method: str = "PUT", absent: bool = False
    ) -> Talk[Any]:
        """Change something; what Nomad answered. absent: None when there is no such thing (any more)."""
        reply = yield from self.request(method, path, body)
        if absent and not reply.good and "not found" in str(reply.value):
            return None
        return good(reply, what)

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        patient: bool = True,
        token: str = "",
    ) -> Talk[Reply]:
        """One request, repeated while Nomad is busy or has no leader. token: another one than the node's own, to ask
        without a body. Raises Elsewhere when this agent cannot help.
        """
        reply = Reply(0, "")
        for _ in range(_TRIES if patient else 1):
            if reply.status:
                yield Pause((f"an answer of Nomad to {method} {path}: {_short(reply.value)}",), 0.5)
            step = self.step(method, path, body)
            record = yield from ask(replace(step, env={**step.env, "TOKEN": token}) if token else step)
            if record.state in ("failed", "unknown"):
                raise _silent(record)
            reply = _reply(record.stdout)
            if reply.status not in _BUSY and not (reply.status >= 500 and _passes(reply.value)):
                return reply
        if not patient:
            return reply
        raise Elsewhere("Nomad cannot answer now", why=f"HTTP {reply.status}: {_short(reply.value)}")

    def env(self, path: str) -> dict[str, str]:
        """What api.sh has to know."""
        return {"URL": f"https://127.0.0.1:{self.port}{path}", "PKI": self.pki, "LIMIT": str(_LIMIT)}

    def several(self, *paths: str) -> Talk[tuple[Reply, ...]]:
        """Read many things in one exchange, good or not. Raises Elsewhere."""
        text = SCRIPT.read_text(encoding="utf-8") + "\nseveral\n"
        env = {**self.env(""), "METHOD": "GET", "PATHS": "\n".join(paths)}
        step = ShellStep(id="nomad-several", title="ask Nomad", probe=text, env=env, timeout=60.0, secret=True)
        record = yield from ask(step)
        if record.state in ("failed", "unknown"):
            raise _silent(record)
        return tuple(_reply(each) for each in record.stdout.split(b"\x1e")[: len(paths)])

    def step(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> ShellStep:
        """The step of one request. What it says is never logged: answers hold the cluster's variables."""
        text, blobs = travel("" if body is None else json.dumps(body))
        env = {**self.env(path), "METHOD": method, "BODY": text}
        script = SCRIPT.read_text(encoding="utf-8") + "\nrequest\n"
        reads = method == "GET"
        return ShellStep(
            id="nomad-api",
            title=f"ask Nomad ({method} {path.partition('?')[0]})",
            probe=script if reads else None,
            act=None if reads else script,
            blobs=blobs,
            env=env,
            timeout=_LIMIT + 10.0,
            secret=True,
        )


def _silent(record: Record) -> Elsewhere:
    said = record.stderr.decode("utf-8", errors="backslashreplace").strip().splitlines()
    refused = record.rc == 5 or bool(said and "alert" in said[-1])  # TLS 1.3 refuses us late
    return Elsewhere(
        "the Nomad agent does not take our certificate" if refused else "no Nomad agent answers",
        why=said[-1] if said else f"exit {record.rc}",
        next="look at the agent's journal: journalctl -u nomad.service",
    )


def _reply(stdout: bytes) -> Reply:
    text, _, status = stdout.decode("utf-8", errors="replace").rpartition("\n")
    headers, found, body = text.partition("\r\n\r\n")
    if not status.isdigit() or not found:
        raise HostFailed("Nomad's answer cannot be read", why=f"it begins with {text.partition(chr(10))[0][:80]!r}")
    named = (line.partition(":") for line in headers.splitlines())
    token = next((value.strip() for name, _, value in named if name.lower() == "x-nomad-nexttoken"), "")
    try:
        return Reply(int(status), json.loads(body) if body else None, token)
    except ValueError:
        return Reply(int(status), body, token)


def good(reply: Reply, what: str) -> Any:
    if reply.good:
        return reply.value
    if reply.status == 403:
        raise HostFailed(
            f"could not {what}",
            why=f"Nomad refuses it (403: {_short(reply.value)}): this cluster has ACLs, and does not know our token",
            next="set nomad_acl: true, put a management token into pki/nomad-token, and run coreops bootstrap",
        )
    raise HostFailed(f"could not {what}", why=f"HTTP {reply.status}: {_short(reply.value)}")


def _passes(value: Any) -> bool:
    return isinstance(value, str) and any(text in value for text in _PASSING)


def _short(value: Any) -> str:
    return str(value).strip()[:200] or "nothing"
