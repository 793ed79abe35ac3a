"""etcd over HTTP: what to ask its JSON gateway with a node's curl, in one process, and how to read what it says. Pure.

One curl costs a node a seventh of the processor time of the etcdctls that would ask the same. A node without curl, or
an etcd without a gateway, is asked with etcdctl.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coreops.shell.quote import q
from coreops.store import etcdctl
from coreops.store.etcdctl import Status

MEMBERS = "/v3/cluster/member/list"
STATUS = "/v3/maintenance/status"
HEALTH = "/health"
"""Does what ``etcdctl endpoint health`` does: a linearizable read, and are there alarms?"""

_SCRIPT = Path(__file__).with_name("scripts") / "gateway.sh"


@dataclass(frozen=True, slots=True)
class Request:
    """key: a word, which the answer begins with. body None: a GET."""

    key: str
    url: str
    body: str | None = None


def script(requests: Sequence[Request], timeout: int = 2) -> str:
    """The sh function ``by_gateway``: says "KEY ANSWER" a line, or fails and says nothing unless all was answered."""
    return f"gateway_asks={q(_config(requests, timeout))}\n{_SCRIPT.read_text(encoding='utf-8')}"


def _config(requests: Sequence[Request], timeout: int) -> str:
    """Requests to one host that follow each other share a connection; the first that fails is the last one, so that a
    dead host costs one ``timeout``. ``next`` forgets every option before it.
    """
    files = [word.removeprefix("--").split("=", 1) for word in etcdctl.CERTIFICATES]
    always = [*(f"{name} = {_word(path)}" for name, path in files), f"connect-timeout = {timeout}"]
    always += [f"max-time = {timeout}", 'noproxy = "*"', "globoff", "http1.1", "silent", "fail", "fail-early"]
    blocks = []
    for request in requests:
        own = [f"url = {_word(request.url)}", f'write-out = "\\n@{request.key} %{{http_code}}\\n"']
        own += [] if request.body is None else [f"data = {_word(request.body)}"]
        blocks.append("\n".join([*always, *own]))
    return "\nnext\n".join(blocks)


def _word(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_status(text: str) -> Status:
    """Read what ``STATUS`` answers. Raises ValueError, KeyError, TypeError."""
    return etcdctl.status_of(_object(text))


def parse_health(text: str) -> bool:
    """Read what ``HEALTH`` answers. Raises ValueError."""
    return str(_object(text).get("health")).lower() == "true"


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"not the answer expected of etcd: {text[:80]!r}")
    return found
