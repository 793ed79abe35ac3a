"""A machine that may be adopted: where it is, what it told of itself when it registered, what it answers. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from coreops.errors import InputError
from coreops.identity.identity import HostKey, Identity

_FORM: Final = re.compile(
    r"(?:(?P<name>[^=]*)=)?(?P<at>\[[^\]]+\]|[^:\[\]]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.%\w]*)(?::(?P<port>[0-9]{1,5}))?"
)
_AT: Final = re.compile(r"[A-Za-z0-9][\w.:%-]*|::[\w.:%]*", re.ASCII)
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Candidate:
    """address: what SSH connects to. port None: the inventory's, or 22. name: what the operator calls it.

    told: what it said when it registered; it may have been anybody.
    """

    address: str
    port: int | None = None
    name: str = ""
    told: Identity | None = None

    def __str__(self) -> str:
        if self.port is None:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """identity: what the machine says. shown: the host key that SSH was shown. known: it was in known_hosts before."""

    identity: Identity
    shown: HostKey
    known: bool


def read(text: str) -> Candidate:
    """Read ``[NAME=]ADDRESS[:PORT]``. Raises InputError."""
    found = _FORM.fullmatch(text)
    at = found["at"].strip("[]") if found else ""
    port = int(found["port"]) if found and found["port"] else None
    if found is None or not _AT.fullmatch(at) or port == 0 or (port or 0) > 65535:
        raise InputError(
            f"{text!r} is not where a machine is",
            next="write ADDRESS, ADDRESS:PORT or NAME=ADDRESS, as n4=192.0.2.14 or [2001:db8::4]:2222",
        )
    name = found["name"]
    if name is not None and not NAME.fullmatch(name):
        raise InputError(
            f"a host cannot be called {name!r}",
            why="a name begins with a letter or digit, and has letters, digits, dots, - and _, 63 at most",
        )
    return Candidate(at, port, name or "")
