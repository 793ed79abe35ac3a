"""The hosts of an ssh_config, such as `vagrant ssh-config` prints, as an inventory and a file of known hosts. Pure.

What switches the check of host keys off there (StrictHostKeyChecking, UserKnownHostsFile) is never taken over.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from coreops.errors import InputError
from coreops.inventory.names import parse_host
from coreops.model import Position

MARK: Final = "# Written by `coreops inventory import-ssh-config`"
KNOWN_HOSTS: Final = "known_hosts.imported"
_UNSUPPORTED: Final = ("match", "include")
_KEY_TYPE: Final = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]{3,60}")
_ADDRESS: Final = re.compile(r"[0-9A-Za-z][\w.:%-]*|::[\w.:%]*")


@dataclass(frozen=True, slots=True)
class SshHost:
    """One Host block. identity_files and the rest are as they are written, without quotes."""

    name: str
    address: str
    position: Position
    port: int = 22
    user: str = ""
    identity_files: tuple[str, ...] = ()
    proxy_jump: str = ""
    proxy_command: str = ""


def parse(text: str, file: str) -> tuple[SshHost, ...]:
    """Return the hosts of the text; blocks for patterns (``Host *``) are passed over. Raises InputError."""
    blocks: dict[str, tuple[Position, dict[str, list[str]]]] = {}
    now: list[dict[str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        at = Position(file, number)
        words = _words(line, at)
        if not words:
            continue
        keyword, values = words[0].lower(), words[1:]
        if keyword in _UNSUPPORTED:
            raise InputError(f"{words[0]} is not understood here", where=at, next="leave only Host blocks in it")
        if keyword == "host":
            now = []
            for name in values:
                if not set(name) & set("*?!"):
                    parse_host(name, at)
                    now.append(blocks.setdefault(name, (at, {}))[1])
        else:
            for block in now:
                block.setdefault(keyword, []).append(line.strip() if keyword == "proxycommand" else " ".join(values))
    if not blocks:
        raise InputError("there is no host in it", where=Position(file), next="give the output of `vagrant ssh-config`")
    return tuple(_host(name, at, block) for name, (at, block) in blocks.items())


def _words(line: str, at: Position) -> list[str]:
    stripped = line.strip()
    if not stripped or stripped.startswith("#"):
        return []
    keyword, *rest = re.split(r"\s*=\s*|\s+", stripped, maxsplit=1)
    if keyword.lower() == "proxycommand":
        return [keyword, *rest]
    try:
        return [keyword, *shlex.split(rest[0] if rest else "")]
    except ValueError as error:
        raise InputError("a line of ssh_config is not understood", where=at, why=str(error)) from None


def _host(name: str, at: Position, block: Mapping[str, Sequence[str]]) -> SshHost:
    def first(keyword: str, default: str = "") -> str:
        return block.get(keyword, [default])[0]

    address, port = first("hostname", name), first("port", "22")
    if not _ADDRESS.fullmatch(address):
        raise InputError(f"{address!r} is not an address", where=at, why=f"HostName of {name}")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(f"{port!r} is not a port", where=at, why=f"Port of {name}")
    command = re.sub(r"^\S+?(\s*=\s*|\s+)", "", first("proxycommand"))
    return SshHost(
        name=name,
        address=address,
        position=at,
        port=int(port),
        user=first("user"),
        identity_files=tuple(block.get("identityfile", ())),
        proxy_jump=_unless_none(first("proxyjump")),
        proxy_command=_unless_none(command),
    )


def _unless_none(word: str) -> str:
    return "" if word.lower() == "none" else word


def inventory_yaml(hosts: Iterable[SshHost], *, group: str = "", known_hosts: bool = False) -> str:
    """Return an inventory file with how each host is reached."""
    import yaml

    found: dict[str, Any] = {}
    for host in hosts:
        variables: dict[str, Any] = {"ansible_host": host.address}
        if host.port != 22:
            variables["ansible_port"] = host.port
        if host.user:
            variables["ansible_user"] = host.user
        if host.identity_files:
            files = host.identity_files
            variables["ansible_ssh_private_key_file"] = files[0] if len(files) == 1 else list(files)
        if host.proxy_jump:
            variables["coreops_proxy_jump"] = host.proxy_jump
        if host.proxy_command:
            variables["coreops_transport"] = "openssh"
            variables["coreops_ssh_args"] = "-o " + shlex.quote(f"ProxyCommand={host.proxy_command}")
        if known_hosts:
            variables["coreops_known_hosts"] = KNOWN_HOSTS
        found[host.name] = variables
    tree: dict[str, Any] = {"hosts": found}
    if group:
        tree = {"children": {group: tree}}
    text = str(yaml.safe_dump({"all": tree}, sort_keys=False, width=200, allow_unicode=True))
    return f"{MARK}, and written again by the next one.\n{text}"


def known_hosts(hosts: Iterable[SshHost], keys: Mapping[str, str]) -> str:
    """Return a file of known hosts. keys: by host, the text of its public keys, one a line. Raises InputError."""
    lines = []
    for host in hosts:
        name = host.address if host.port == 22 else f"[{host.address}]:{host.port}"
        lines += [f"{name} {_key(line, host.name)}" for line in keys.get(host.name, "").splitlines() if line.strip()]
    return "".join(f"{line}\n" for line in lines)


def _key(line: str, host: str) -> str:
    """A public key without its comment; its type must be the one that its own bytes begin with."""
    kind, text = [*line.split(), "", ""][:2]
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    if not _KEY_TYPE.fullmatch(kind) or not blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise InputError("that is not a host key", where=host, why=f"found {line!r:.80}")
    return f"{kind} {text}"
