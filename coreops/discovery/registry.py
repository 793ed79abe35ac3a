"""Tokens and the members that register under them: who may, and what a reader is shown. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from coreops.errors import InputError

MOST: Final = 9
LONGEST: Final = 2048
STORE: Final = "etcd:"
"""How the base of a token begins whose members another etcd keeps."""

NOT_FOUND, NO_MORE, EXISTS, INVALID = 100, 103, 105, 209
"""etcd's numbers for what is wrong; its client tells some of them apart."""
REPLACED: Final = "this token was replaced, and is of no use any more"


@dataclass(frozen=True, slots=True)
class Member:
    """One etcd member. id: its own, hexadecimal. value: NAME=URL,NAME=URL. index: when, in etcd's way of counting."""

    id: str
    value: str
    index: int
    at: float
    peer: str

    @property
    def name(self) -> str:
        """What the member calls itself."""
        return self.value.partition("=")[0]

    @property
    def urls(self) -> tuple[str, ...]:
        """Where the others find it."""
        return tuple(pair.partition("=")[2] for pair in self.value.split(","))


@dataclass(frozen=True, slots=True)
class Refusal:
    """One member that was not let in, the last time it tried."""

    id: str
    name: str
    why: str
    at: float
    peer: str
    times: int


@dataclass(frozen=True, slots=True)
class Hello:
    """What a machine told of itself, to be adopted; peer: where from. It may have been anybody who knows the token."""

    machine: str
    text: str = field(repr=False)
    at: float
    peer: str


@dataclass(frozen=True, slots=True)
class Token:
    """A cluster to be. base: the server's URL. replaced: when an operator gave its cluster another token; 0: never."""

    token: str = field(repr=False)
    size: int
    index: int
    at: float
    cluster: str = ""
    base: str = ""
    replaced: float = 0.0
    members: tuple[Member, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def id(self) -> str:
        """What a log may call it."""
        return identify(self.token)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.cluster or f"token {self.id}"

    @property
    def url(self) -> str:
        """What etcd's --discovery is given."""
        return f"{self.base.rstrip('/')}/{self.token}"

    @property
    def store(self) -> tuple[str, ...]:
        """The endpoints of the etcd that keeps the members, as etcd 3.6 and newer ask it; (): we do."""
        return tuple(self.base.removeprefix(STORE).split(",")) if self.base.startswith(STORE) else ()

    @property
    def option(self) -> str:
        """What etcd is given on its command line, or by the like in its environment."""
        if self.store:
            return f"--discovery-token {self.token} --discovery-endpoints {','.join(self.store)}"
        return self.url

    @property
    def full(self) -> bool:
        """Whether the cluster has all its members; nothing of it changes then."""
        return len(self.members) >= self.size


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a member is not let in. code: etcd's number for it."""

    code: int
    why: str


def identify(token: str) -> str:
    """The beginning of a token's hash."""
    return hashlib.sha256(token.encode()).hexdigest()[:8]


def size_fault(size: int, *, even: bool = False) -> str | None:
    """Why a cluster should not have this many members. even: an even number is wanted in spite of all."""
    if not 1 <= size <= MOST:
        return f"a cluster has 1 to {MOST} members, not {size}"
    if size % 2 == 0 and not even:
        do = "do" if size > 2 else "does"
        return f"{size} members survive the loss of {(size - 1) // 2}, as {size - 1} {do}, and one more can fail"
    return None


def judge(token: Token, id: str, value: str, peer: str) -> Member | Refused | None:
    """Whether a member may register: None; the one that it is already; or why not.

    While members are missing no cluster can have formed, so one that starts over is taken back; after that its id is
    a duplicate, as etcd has it.
    """
    if token.replaced:
        return Refused(NOT_FOUND, REPLACED)
    same = next((each for each in token.members if each.id == id), None)
    if same is not None:
        return same if same.value == value and not token.full else Refused(EXISTS, "this member is registered")
    if token.full:
        return Refused(NO_MORE, f"all {token.size} members of {token.name} have registered")
    if (fault := value_fault(value)) is not None:
        return Refused(INVALID, fault)
    new = Member(id, value, 0, 0.0, peer)
    for each in token.members:
        if each.name == new.name:
            return Refused(INVALID, f"another member is named {new.name}: {each.value}")
        for url in new.urls:
            if url in each.urls:
                return Refused(INVALID, f"{url} is the address of {each.name}")
    if token.size > 1 and not _loopback(peer):
        for url in new.urls:
            if _loopback(urlsplit(url).hostname or ""):
                return Refused(INVALID, f"{url} is an address that only the member itself reaches")
    return None


def value_fault(value: str) -> str | None:
    """Why a value is not NAME=URL, with the same name for every further URL."""
    if len(value) > LONGEST or not value.isprintable():
        return "it is too long, or holds control characters"
    names = set()
    for pair in value.split(","):
        name, equals, url = pair.partition("=")
        names.add(name)
        if not name or not equals:
            return f"{pair[:80]!r} is not NAME=URL"
        try:
            parts = urlsplit(url)
            whole = parts.scheme in ("http", "https") and parts.hostname and parts.port and not parts.path.strip("/")
        except ValueError:
            whole = None
        if not whole or parts.username is not None or parts.query or parts.fragment:
            return f"{url[:80]!r} is not http://HOST:PORT or https://HOST:PORT"
    return None if len(names) == 1 else "it holds more than one name"


def shown(token: Token, index: int, *, to_etcd: bool) -> tuple[tuple[Member, ...], int]:
    """The members that a reader is shown, and as of when.

    An etcd that sees a full cluster without itself becomes a proxy (3.5 and older), and nobody hears of it. So it is
    shown the state before the last member came, and hears of that one by waiting for what comes next, as it does
    anyway. One that is surplus goes on to register, and can be refused by name.
    """
    if to_etcd and token.full:
        return token.members[:-1], token.members[-1].index - 1
    return token.members, index


def event(token: Token, id: str | None, since: int) -> Member | None:
    """The first registration from index ``since`` on; of one member, or of any."""
    return next((each for each in token.members if each.index >= since and id in (None, each.id)), None)


def find(tokens: Sequence[Token], word: str) -> Token | None:
    """The token that a word means: a cluster's name (what it has now), a token, its URL, or what logs call it."""
    last = word.rstrip("/").rpartition("/")[2]
    named = [each for each in tokens if each.cluster and each.cluster == word]
    said = [each for each in tokens if last in (each.token, each.id)]
    return next(iter([*(each for each in named if not each.replaced), *said]), None)


def name_fault(name: str) -> str | None:
    """Why a cluster cannot be called so."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name, re.ASCII):
        return "a name begins with a letter or digit, and has letters, digits, dots, - and _, 63 at most"
    return None


def store_url(text: str) -> str:
    """An endpoint of an etcd, in one spelling. Raises InputError."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port and not parts.path.strip("/")
    except ValueError:
        whole = None
    if not whole or not re.fullmatch(r"[!-~]+", text) or set(text) & set("@?#,\"'"):
        raise InputError(
            f"--store cannot be {text[:80]!r}", next="an endpoint of etcd, as http://192.0.2.1:2379; repeat it for more"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _loopback(host: str) -> bool:
    try:
        found = ip_address(host)
    except ValueError:
        return host == "localhost"
    return found.is_loopback or found.is_unspecified
