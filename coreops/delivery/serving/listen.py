"""The address that ``--listen`` names, and whether user-data may go over it in the clear. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from coreops.delivery.serving.site import Site
from coreops.errors import InputError, RefusedError, counted

_FORM: Final = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<four>[^:\[\]]*)):(?P<port>[0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. host "0.0.0.0" or "::": on every address of this machine."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return ip_address(self.host).is_loopback


def listen(text: str) -> Listen:
    """Read ADDR:PORT, [ADDR]:PORT, :PORT. Raises InputError."""
    found = _FORM.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError("it is not of the form ADDR:PORT")
        host = found["six"] or found["four"] or "0.0.0.0"
        host = str(ip_address("127.0.0.1" if host == "localhost" else host))
        if int(found["port"]) > 65535:
            raise ValueError("ports end at 65535")
    except ValueError as error:
        raise InputError(
            f"--listen cannot be {text!r}",
            why=str(error),
            next="an IP address of this machine and a port, as 192.0.2.1:8080, [2001:db8::1]:8080 or :8080 for all",
        ) from None
    return Listen(host, int(found["port"]))


def base_url(text: str) -> str:
    """Read ``--url``: how machines reach the server. Raises InputError."""
    if not re.fullmatch(r"https?://[!-~]+", text, re.ASCII) or set(text) & set("?#\"'"):
        raise InputError(f"--url cannot be {text!r}", next="as https://192.0.2.1:8443, with nothing after the path")
    return text


def in_the_clear(site: Site, where: Listen, *, tls: bool, insecure: bool) -> str | None:
    """A warning about what others on the way can read, None when nothing. Raises RefusedError for secrets."""
    if tls or where.local:
        return None
    secret = [name for name, content in site.contents.items() if content.secret]
    if not secret:
        return (
            f"plain HTTP on {where}: whoever is on the way can read user-data, and change it; --cert and --key end that"
        )
    if insecure:
        return f"plain HTTP on {where}: whoever is on the way can read the secrets of {counted(len(secret), 'node')}"
    raise RefusedError(
        f"the user-data of {counted(len(secret), 'node')} holds secrets, and plain HTTP shows them on the way",
        where=str(where),
        why=f"marked with secrets: {', '.join(secret[:3])}{', ...' if len(secret) > 3 else ''}",
        next="--cert FILE --key FILE, or --insecure-http where nobody else is on that network",
    )
