"""Who asked, and what that one may get: the rules, without sockets and without the tickets' state. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from coreops.delivery.serving import pages
from coreops.delivery.serving.request import BODIES, BOOT, META_DATA, TOKEN, VENDOR_DATA, Ask
from coreops.delivery.serving.site import TARGET_PAGES, Content, Site

OK: Final = 200
NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decided."""

    require_token: bool = False
    by_ip: bool = False
    grace: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. once: the node whose ticket it takes. outcome: for the log. by: what named the node."""

    status: int
    outcome: str
    body: bytes = field(default=b"", repr=False)
    type: str = pages.PLAIN
    node: str = ""
    by: str = ""
    once: bool = False


NO_PAGE: Final = Answer(NOT_FOUND, "no such page", b"there is no such page\n")
UNKNOWN: Final = Answer(NOT_FOUND, "unknown machine", b"this machine is not known here\n")
MALFORMED: Final = Answer(400, "malformed", b"malformed request\n")
TOKENLESS: Final = Answer(403, "no token", b"a token is needed\n")
BUSY: Final = Answer(503, "busy", b"busy, ask again\n")
GONE: Final = b"served before; ask the operator to issue it again\n"


def well_formed(ask: Ask) -> str | None:
    """The request's token where it can be one."""
    return ask.token if ask.token is not None and TOKEN.fullmatch(ask.token) else None


def answer(site: Site, ask: Ask, peer: str, owner: str | None, rules: Rules, base: str) -> Answer:
    """Decide. owner: the node that the request's token belongs to. base: this server's address as the machine sees it.

    A token names a node by itself; other names must not speak against it. The peer's address counts only when nothing
    else was said, and only when the operator allowed it: it is easily forged.
    """
    if ask.page is None:
        return NO_PAGE
    token = well_formed(ask)
    if ask.page == BOOT:
        return Answer(OK, "served", pages.boot_script(token))
    if ask.token is not None and owner is None:
        return UNKNOWN
    if owner is None and rules.require_token:
        return TOKENLESS
    selectors = ask.selectors
    if not selectors and owner is None and rules.by_ip:
        selectors = (("ip", peer),)
    match = site.machines.find(selectors)
    names = [node for node in (owner, match.node, match.rival) if node is not None]
    if len(set(names)) > 1:
        text = f"this request names two machines: {names[0]} and {next(each for each in names if each != names[0])}"
        return Answer(409, text, b"this request names two machines\n", by=match.by)
    if not names:
        return UNKNOWN
    content = site.contents.get(names[0])
    if content is None:
        return replace(UNKNOWN, outcome="not in this render", node=names[0], by=match.by)
    return _page(site, ask.page, content, "token" if owner else match.by, token if owner else None, base)


def _page(site: Site, page: str, content: Content, by: str, token: str | None, base: str) -> Answer:
    def served(body: bytes, type_: str, *, once: bool = False) -> Answer:
        return Answer(OK, "served", body, type_, content.node, by, once)

    if page in BODIES:
        if page in TARGET_PAGES[site.target]:
            once = content.secret or token is not None
            return served(content.data, pages.TYPES[site.target], once=once)
        text = f"{site.target} is served here: ask for {' or '.join(TARGET_PAGES[site.target])}"
        return Answer(NOT_FOUND, "no such page", f"{text}\n".encode(), node=content.node, by=by)
    if page == META_DATA:
        return served(pages.meta_data(site, content), "application/json")
    if page == VENDOR_DATA:
        return served(b"", pages.PLAIN)
    if site.boot is None:
        text = "no iPXE script without --kernel"
        return Answer(NOT_FOUND, text, f"{text}\n".encode(), node=content.node, by=by)
    script = pages.ipxe_script(site, content.node, by, token, base)
    return served(script, pages.PLAIN)
