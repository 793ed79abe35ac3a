"""The address that ``--listen`` names, that of a peer, and the one that others reach a server by. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

from coreops.errors import InputError

_FORM: Final = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<four>[^:\[\]]*)):(?P<port>[0-9]{1,5})", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?", re.ASCII)


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


def address(text: str) -> str | None:
    """An IP address in its one spelling, without the name of an interface; None when it is none."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(found)


def as_reached(own: str, host: str) -> str:
    """This server's URL as a request's Host has it; as it calls itself where that is no host."""
    return f"{own.partition('://')[0]}://{host}" if _HOST.fullmatch(host) else own
