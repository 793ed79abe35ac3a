"""What a request to the discovery endpoint asks for. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

Page = Literal["new", "health", "hello", "token", "size", "member"]

TOKEN: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MEMBER: Final = re.compile(r"[0-9a-f]{1,16}", re.ASCII)
_FIELDS: Final = 16
_BOOLEANS: Final = dict.fromkeys(["1", "t", "T", "true", "TRUE", "True"], True) | dict.fromkeys(
    ["0", "f", "F", "false", "FALSE", "False"], False
)
_METHODS: Final[dict[Page, tuple[str, ...]]] = {
    "new": ("GET", "PUT", "POST"),
    "health": ("GET",),
    "hello": ("POST",),
    "token": ("GET",),
    "size": ("GET",),
    "member": ("GET", "PUT"),
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. by_etcd: put as only etcd's client puts it. since: the index to wait from, 0: from now."""

    page: Page
    token: str = field(default="", repr=False)
    member: str = ""
    by_etcd: bool = False
    wait: bool = False
    since: int = 0
    new_only: bool = False
    value: str = ""
    size: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why a request is none. code: etcd's number for it, 0 where etcd is not who would say it."""

    status: int
    why: str
    code: int = 0


def parse(method: str, target: str, body: bytes = b"") -> Ask | Malformed:
    """Read a request."""
    try:
        parts = urlsplit("/" + target.lstrip("/") if target.startswith("/") else target)
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_FIELDS)
        words = [unquote(word, errors="strict") for word in parts.path.split("/")]
        page = _page(words[1:])
        if page == "hello":
            if method not in _METHODS[page]:
                return Malformed(405, "POST only: a machine tells who it is")
            return Ask(page, words[2], value=body.decode("utf-8"))
        pairs += parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        return Malformed(400, "Invalid POST form", 210)
    given = dict(reversed(pairs))
    if page is None:
        return Malformed(404, "there is no such page")
    if method not in _METHODS[page]:
        return Malformed(405, f"{', '.join(_METHODS[page])} only: what has registered stays")
    flags: dict[str, bool] = {}
    for name in ("wait", "recursive", "sorted", "quorum", "prevExist", "force"):
        if name in given:
            if given[name] not in _BOOLEANS:
                return Malformed(400, f'invalid value for "{name}"', 209)
            flags[name] = _BOOLEANS[given[name]]
    since = given.get("waitIndex", "0")
    if not re.fullmatch("[0-9]{1,18}", since, re.ASCII):
        return Malformed(400, 'invalid value for "waitIndex"', 203)
    if flags.get("prevExist"):
        return Malformed(400, "what has registered does not change", 209)
    return Ask(
        page,
        words[1] if page in ("token", "size", "member") else "",
        words[2] if page == "member" else "",
        by_etcd="quorum" in flags,
        wait=flags.get("wait", False),
        since=int(since),
        new_only="prevExist" in flags,
        value=given.get("value", ""),
        size=given.get("size", ""),
        force=flags.get("force", False),
    )


def path(ask: Ask | Malformed, target: str, called: str) -> str:
    """A request's path for a log, without its token. called: what a log may call the token."""
    if isinstance(ask, Malformed):
        return re.sub(r"[0-9A-Za-z]{17,}", "...", target.partition("?")[0])[:200]
    if ask.page in ("new", "health"):
        return f"/{ask.page}"
    if ask.page == "hello":
        return f"/hello/{called}..."
    return "/".join(("", f"{called}...", *{"size": ("_config", "size"), "member": (ask.member,)}.get(ask.page, ())))


def _page(words: list[str]) -> Page | None:
    if words in (["new"], ["health"]):
        return "new" if words == ["new"] else "health"
    if len(words) == 2 and words[0] == "hello":
        return "hello" if TOKEN.fullmatch(words[1]) else None
    if not words or not TOKEN.fullmatch(words[0]):
        return None
    if words[1:] in ([], [""]):
        return "token"
    if words[1:] == ["_config", "size"]:
        return "size"
    return "member" if len(words) == 2 and _MEMBER.fullmatch(words[1]) else None
