"""The SRV records by which etcd's ``--discovery-srv`` finds its members: looked up, and compared with who they are."""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coreops.discovery.dns import Kind, Malformed, answer, question
from coreops.errors import CoreopsError, InputError

SERVICES: Final = {"etcd-server-ssl": "https", "etcd-server": "http"}
_SECONDS: Final = 3.0
_TRIES: Final = 2
_RESOLV: Final = Path("/etc/resolv.conf")
Server = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """One record. url: of a member, as etcd makes it. host: whose it is; "" when it is nobody's."""

    service: str
    url: str
    addresses: tuple[str, ...]
    host: str = ""


def servers(path: Path = _RESOLV) -> tuple[Server, ...]:
    """The name servers of this machine. Raises InputError."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise InputError("no name server is known", where=path, why=error.strerror, next="--server ADDRESS") from None
    found = tuple((line.split()[1], 53) for line in lines if line.split()[:1] == ["nameserver"] and line.split()[1:])
    if not found:
        raise InputError("no name server is known", where=path, next="--server ADDRESS")
    return found


def find(domain: str, name: str, ask: Sequence[Server], members: Mapping[str, frozenset[str]]) -> tuple[Found, ...]:
    """Every record that etcd would read. name: as in ``--discovery-srv-name``. members: their addresses, by host.

    Raises CoreopsError, InputError.
    """
    owners = {address: host for host, addresses in members.items() for address in addresses}
    found = []
    for service, scheme in SERVICES.items():
        full = f"{service}{f'-{name}' if name else ''}"
        for value in look(f"_{full}._tcp.{domain}", "SRV", ask):
            target = value.rpartition(":")[0]
            addresses = tuple(dict.fromkeys((*look(target, "A", ask), *look(target, "AAAA", ask))))
            host = next((owners[each] for each in addresses if each in owners), "")
            found.append(Found(full, f"{scheme}://{value}", addresses, host))
    return tuple(sorted(found, key=lambda each: each.url))


def faults(found: Sequence[Found], members: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What keeps etcd from forming this cluster by these records. Pure."""
    if not found:
        yield "there is no record"
        return
    if len({each.service for each in found}) > 1:
        yield "there are records with and without TLS: etcd takes all of them for members"
    seen: dict[str, str] = {}
    for each in found:
        if not each.addresses:
            yield f"{each.url}: its name has no address"
        elif not each.host:
            yield f"{each.url} is at {', '.join(each.addresses)}, which no member has"
        elif each.host in seen:
            yield f"{each.url} and {seen[each.host]} are both {each.host}"
        else:
            seen[each.host] = each.url
    for host, addresses in members.items():
        if host not in seen:
            yield f"{host} ({', '.join(sorted(addresses)) or 'no address'}) has no record"


def look(name: str, kind: Kind, ask: Sequence[Server]) -> tuple[str, ...]:
    """The records of a name; () when there is none. Raises CoreopsError when nobody can tell, InputError."""
    trouble = []
    for host, port in ask:
        id = secrets.randbelow(1 << 16)
        try:
            asked = question(name, kind, id)
        except ValueError as error:
            raise InputError("this cannot be looked up", where=name, why=str(error)) from None
        try:
            found = answer(_datagram(host, port, asked), kind, id)
            return (answer(_stream(host, port, asked), kind, id) if found.cut else found).values
        except (OSError, Malformed) as error:
            trouble.append(f"{host}: {error or type(error).__name__}")
    raise CoreopsError(
        "no name server answers", where=name, why="; ".join(trouble), next="check the network, or name one by --server"
    )


def _datagram(host: str, port: int, asked: bytes) -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_SECONDS / _TRIES)
        sock.connect((host, port))
        for last in (*[False] * (_TRIES - 1), True):
            sock.send(asked)
            try:
                return sock.recv(65535)
            except TimeoutError:
                if last:
                    raise
        raise TimeoutError


def _stream(host: str, port: int, asked: bytes) -> bytes:
    with socket.create_connection((host, port), _SECONDS) as sock, sock.makefile("rb") as stream:
        sock.sendall(struct.pack(">H", len(asked)) + asked)
        size = stream.read(2)
        return stream.read(struct.unpack(">H", size)[0]) if len(size) == 2 else b""
