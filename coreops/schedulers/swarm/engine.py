"""Talks with one engine: a request and its answer, over the engine's own socket on the node. Pure: makes steps and
reads records. Knows HTTP and the engine's way of saying no; nothing of what is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from coreops.errors import HostFailed
from coreops.model import Record, ShellStep
from coreops.schedulers.body import travel
from coreops.schedulers.protocol import Elsewhere, Pause, Talk, ask

_SCRIPT = Path(__file__).with_name("engine.sh")
_END = re.compile(r"\n= (\d{3})\n")
_NOT_NOW = re.compile(
    r"does not have a leader|context deadline exceeded|code = Unavailable|lost leader|no leader", re.I
)
_NOT_HERE = re.compile(r"not a swarm manager|not part of a swarm|needs to be unlocked", re.I)
_ELECTION = 42
"""Pauses that an election may take, of half a second each: Docker begins one after 10 to 20 s of silence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. data: the JSON, None for an empty body. cut: it was longer than a step may say."""

    status: int
    data: Any = None
    cut: bool = False

    @property
    def good(self) -> bool:
        return 0 < self.status < 400

    @property
    def message(self) -> str:
        found = self.data.get("message", "") if isinstance(self.data, dict) else ""
        return str(found) or f"HTTP status {self.status}"


def path(plain: str, **filters: list[str]) -> str:
    """The path of a request with the engine's filters."""
    if not filters:
        return plain
    words = {key.replace("_", "-"): value for key, value in filters.items()}
    return f"{plain}?filters={quote(json.dumps(words), safe='')}"


def get(title: str, *paths: str, secret: bool = False) -> Talk[list[Answer]]:
    """Ask several questions at once. Raises Elsewhere when this engine cannot answer for the cluster."""
    leaderless = Elsewhere(
        "its swarm has no leader",
        why="it waited for one; more than half of the managers must be up, and reach each other",
        next="start Docker on managers that are down (systemctl start docker); then run the same command again",
    )
    for _ in range(_ELECTION):
        step = ShellStep(
            id="swarm-get", title=title, probe=_script(), env=_env("GET", *paths), timeout=120.0, secret=secret
        )
        record = _alive((yield from ask(step)), title)
        if record.truncated:
            return [Answer(0, cut=True) for _ in paths]
        answers = list(_read(record))
        bad = next((answer for answer in answers if not answer.good), None)
        if bad is None:
            return answers
        if _NOT_HERE.search(bad.message):
            raise Elsewhere(f"could not {title}", why=bad.message)
        if not _NOT_NOW.search(bad.message):
            raise HostFailed(f"could not {title}", why=bad.message)
        # Docker itself may take seconds to say so, and all patience before these pauses end
        yield Pause((f"an answer of the swarm ({bad.message})",), error=leaderless)
    raise leaderless


def send(title: str, method: str, where: str, body: Any = None, *, secret: bool = False) -> Talk[Answer]:
    """One request that may change something; what the engine said, also when it said no."""
    text, blobs = travel("" if body is None else json.dumps(body))
    step = ShellStep(
        id="swarm-do",
        title=title,
        act=_script(),
        blobs=blobs,
        env=_env(method, where) | {"BODY": text},
        timeout=120.0,
        secret=secret,
    )
    return next(_read(_alive((yield from ask(step)), title)))


def transient(answer: Answer) -> bool:
    """Would the same request be answered otherwise a moment later?"""
    return not answer.good and bool(_NOT_NOW.search(answer.message) or "out of sequence" in answer.message)


def _script() -> str:
    return _SCRIPT.read_text(encoding="utf-8")


def _env(method: str, *paths: str) -> dict[str, str]:
    return {"METHOD": method, "PATHS": "\n".join(paths), "BODY": ""}


def _alive(record: Record, title: str) -> Record:
    if record.state in ("failed", "unknown"):
        said = record.stderr.decode("utf-8", errors="backslashreplace").strip().splitlines()
        if said and said[-1].startswith("curl: (7)"):  # it speaks of a port that nobody has asked for
            raise Elsewhere("Docker does not run", why=f"nobody listens on its socket; it was to {title}")
        raise Elsewhere(
            f"could not {title}", why=said[-1] if said else f"the engine does not answer (exit {record.rc})"
        )
    return record


def _read(record: Record) -> Iterator[Answer]:
    text = record.stdout.decode("utf-8", errors="replace")
    parts = _END.split(text)
    for body, status in zip(parts[::2], parts[1::2], strict=False):
        yield Answer(int(status), decode(body))
    if len(parts) < 3:
        raise HostFailed("the engine's answer is not HTTP", why=text[:200])


def decode(body: str) -> Any:
    """JSON, None for nothing; anything else is a message."""
    try:
        return json.loads(body) if body.strip() else None
    except ValueError:
        return {"message": body.strip()[:4000]}
