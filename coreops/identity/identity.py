"""What a machine says of itself, and how to ask it. Pure; believes nothing: whoever reads decides what it is worth."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address, ip_address
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from coreops.errors import HostFailed
from coreops.model import Record, ShellStep

Item = TypeVar("Item")

STEP: Final = "identity"
MOST: Final = 64
"""So many MAC addresses, addresses and keys are read; a machine that has more is still known by these."""
_SCRIPT: Final = Path(__file__).with_name("identity.sh")
_HELLO: Final = _SCRIPT.with_name("hello.sh")
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII)
_NOBODYS: Final = frozenset({"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"})
_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_KEY: Final = re.compile(r"[a-z][a-z0-9@.-]{3,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class HostKey:
    """The public half of an SSH host key."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ssh prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def line(self) -> str:
        """As in a ``.pub`` file."""
        return f"{self.type} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """addresses: the machine's own, without loopback and link-local ones. version: of its operating system."""

    machine_id: str = ""
    boot_id: str = ""
    hostname: str = ""
    version: str = ""
    macs: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    keys: tuple[HostKey, ...] = ()


@cache
def script() -> str:
    """The question, to be run by a POSIX sh."""
    return _stripped(_SCRIPT)


@cache
def hello() -> str:
    """A script by which a machine tells the same to a discovery server, of its own accord."""
    return f"#!/bin/sh\nhello_says() {{\n{script()}}}\n{_stripped(_HELLO)}"


def _stripped(path: Path) -> str:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#")) + "\n"


def step() -> ShellStep:
    """The question as a step."""
    return ShellStep(id=STEP, title="ask who it is", probe=script(), timeout=30.0)


def read(record: Record, host: str) -> Identity:
    """The answer to ``step``. Raises HostFailed."""
    found = parse(record.stdout.decode("utf-8", "replace")) if record.state == "ok" else Identity()
    if not found.machine_id:
        said = record.stderr.decode("utf-8", "replace").strip()
        raise HostFailed(
            "the node did not say who it is",
            where=host,
            why=said or "it has no /etc/machine-id",
            next="systemd-machine-id-setup makes one",
        )
    return found


def parse(text: str) -> Identity:
    """Read ``key value`` lines. What is no machine-id, MAC, address or key is left out."""
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        lines.setdefault(key, []).append(value.strip())
    return of(lines)


def of(lines: Mapping[str, Sequence[str]]) -> Identity:
    """The same from lines that were taken apart already."""

    def last(key: str) -> str:
        return next(reversed(lines.get(key, ())), "")

    known = last("machine_id")
    macs = (mac.lower() for mac in lines.get("mac", ()))
    six = (_six(each) for each in lines.get("ip6", ()))
    addresses = (_address(each) for each in (*lines.get("ip", ()), *six))
    keys = (host_key(each) for each in lines.get("key", ()))
    return Identity(
        machine_id=known if _ID.fullmatch(known) else "",
        boot_id=last("boot_id")[:64],
        hostname=last("hostname")[:255],
        version=last("version")[:64],
        macs=_some(mac for mac in macs if _MAC.fullmatch(mac) and mac not in _NOBODYS),
        addresses=_some(each for each in addresses if each),
        keys=_some(each for each in keys if each),
    )


def _some(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(islice(dict.fromkeys(items), MOST))


def _six(text: str) -> str:
    """An IPv6 address as /proc has it: 32 digits."""
    return str(IPv6Address(int(text, 16))) if _ID.fullmatch(text) else ""


def _address(text: str) -> str:
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    return "" if found.is_loopback or found.is_link_local or found.is_unspecified else str(found)


def host_key(text: str) -> HostKey | None:
    """Read ``TYPE BASE64``; None unless its bytes begin with the type they are said to be of."""
    kind, _, rest = text.partition(" ")
    try:
        blob = base64.b64decode(rest.split(" ")[0], validate=True)
    except (binascii.Error, ValueError):
        return None
    whole = _KEY.fullmatch(kind) and blob.startswith(len(kind).to_bytes(4, "big") + kind.encode())
    return HostKey(kind, blob) if whole else None
