"""The wanted cluster: who its members are and how each is configured, from the inventory's variables. Pure: no
files, no connections. The variables it understands all begin with ``etcd_``; an unknown one is an error.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.store import quorum
from coreops.store.leaf import Leaf

OPERATOR = Leaf("client", "coreops operator")

# What coreops decides itself; a flag that contradicts it would break the cluster or its safety.
_OWNED = re.compile(
    r"name|data-dir|config-file|initial-.*|listen-(peer|client)-urls|advertise-client-urls|discovery.*|force-new-cluster|"
    r"strict-reconfig-check|(peer-)?(auto-tls|client-cert-auth|trusted-ca-file|cert-file|key-file)"
)

Origin = Callable[[str, str], object]


@dataclass(frozen=True, slots=True)
class Member:
    """One wanted member; ``name`` is the host's name in the inventory and the member's name in etcd.

    clock_skew: seconds that its clock may differ from the controller's and from another member's.
    """

    name: str
    address: str
    client_port: int = 2379
    peer_port: int = 2380
    data_dir: str = "/var/lib/etcd"
    arch: str = "amd64"
    version: str | None = None
    extra_sans: tuple[str, ...] = ()
    clock_skew: float = 1.0
    flags: Mapping[str, str] = field(default_factory=dict)

    @property
    def peer_url(self) -> str:
        return f"https://{_bracket(self.address)}:{self.peer_port}"

    @property
    def client_url(self) -> str:
        return f"https://{_bracket(self.address)}:{self.client_port}"

    @property
    def listen_peer_urls(self) -> str:
        return f"https://{self._listen}:{self.peer_port}"

    @property
    def listen_client_urls(self) -> str:
        own = f"https://{self._listen}:{self.client_port}"
        local = f"https://127.0.0.1:{self.client_port}"
        return own if self._listen in ("0.0.0.0", "127.0.0.1") else f"{own},{local}"

    @property
    def _listen(self) -> str:
        """etcd listens on addresses only; for a member that is known by name it listens on all of them."""
        return _bracket(self.address) if _is_address(self.address) else "0.0.0.0"

    @property
    def leaf(self) -> Leaf:
        """The certificate it serves with, and with which it calls its peers."""
        sans = dict.fromkeys((self.address, self.name, *self.extra_sans, "127.0.0.1", "localhost"))
        return Leaf(f"nodes/{self.name}", self.name, tuple(sans))

    def variables(self) -> dict[str, Any]:
        """What the playbook's templates see as ``etcd_member``."""
        return {
            "name": self.name,
            "address": self.address,
            "data_dir": self.data_dir,
            "peer_url": self.peer_url,
            "client_url": self.client_url,
            "listen_peer_urls": self.listen_peer_urls,
            "listen_client_urls": self.listen_client_urls,
            "flags": dict(self.flags),
        }


def initial_cluster(members: Sequence[Member]) -> str:
    """etcd's own notation for a list of members."""
    return ",".join(f"{m.name}={m.peer_url}" for m in members)


def member(name: str, variables: Mapping[str, Any], address: str, origin: Origin) -> Member:
    """Read one host's variables. ``address`` is where SSH finds it, ``origin`` tells where a variable was set."""
    if not re.fullmatch(r"[^\s,=/\x00-\x1f]+", name):
        raise InputError(f"host {name!r} cannot be a member", why="etcd separates names by , and =", next="rename it")
    own = {key: value for key, value in variables.items() if key.startswith("etcd_")}
    for key in own:
        if key not in _READERS:
            hint = did_you_mean(key, _READERS) or f"known: {', '.join(sorted(_READERS))}"
            raise InputError(f"unknown variable {key}", where=origin(name, key), next=hint)
    read: dict[str, Any] = {"address": address}
    for key, value in own.items():
        try:
            read[key.removeprefix("etcd_")] = _READERS[key](value)
        except ValueError as error:
            raise InputError(f"{key} is not usable", where=origin(name, key), why=str(error)) from error
    made = Member(name, **read)
    if made.client_port == made.peer_port:
        raise InputError("etcd_client_port and etcd_peer_port are the same", where=origin(name, "etcd_peer_port"))
    return made


def check(members: Sequence[Member], where: object) -> None:
    """Raise InputError for a set of members that cannot be a cluster."""
    quorum.check_size(len(members), where=where)
    seen: dict[str, str] = {}
    for item in members:
        if item.peer_url in seen:
            raise InputError(
                f"hosts {seen[item.peer_url]} and {item.name} have one address",
                where=where,
                why=f"both would be {item.peer_url}",
                next="give each host its own address (address, ansible_host or etcd_address)",
            )
        seen[item.peer_url] = item.name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _bracket(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"it must be a text, found {value!r}")
    if "{{" in value or "{%" in value:
        raise ValueError(f"templates are not supported here, found {value!r}")
    return value


def _host(value: object) -> str:
    text = _text(value)
    if not _is_address(text) and not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", text):
        raise ValueError(f"it must be an address or a host name, found {text!r}")
    return text


def _hosts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"it must be a list, found {value!r}")
    return tuple(_host(item) for item in value)


def _port(value: object) -> int:
    if isinstance(value, bool) or not str(value).isdigit() or not 0 < int(str(value)) < 65536:
        raise ValueError(f"it must be a port, found {value!r}")
    return int(str(value))


def _folder(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*){2,}", text):
        raise ValueError(f"it must be a plain absolute path at least two levels deep, found {text!r}")
    return text


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 60:
        raise ValueError(f"it must be a number of seconds from 0.1 to 60, found {value!r}")
    return float(value)


def _version(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d+\.\d+\.\d+", value):
        raise ValueError(f"it must look like '3.5.17', found {value!r}")
    return value


def _flags(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it must be a mapping of etcd's flags to values, found {value!r}")
    flags: dict[str, str] = {}
    for key, setting in value.items():
        name = str(key).lstrip("-").replace("_", "-").lower().removeprefix("etcd-")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise ValueError(f"{key!r} is not a flag")
        if _OWNED.fullmatch(name):
            raise ValueError(f"coreops sets --{name} itself")
        text = str(setting).lower() if isinstance(setting, bool) else str(setting)
        if isinstance(setting, dict | list) or setting is None or not text.isascii() or not text.isprintable():
            raise ValueError(f"--{name} must be a printable ASCII value, found {setting!r}")
        flags["ETCD_" + name.upper().replace("-", "_")] = text
    return dict(sorted(flags.items()))


_READERS: Mapping[str, Callable[[object], Any]] = {
    "etcd_address": _host,
    "etcd_arch": _text,
    "etcd_client_port": _port,
    "etcd_clock_skew": _seconds,
    "etcd_data_dir": _folder,
    "etcd_extra_sans": _hosts,
    "etcd_flags": _flags,
    "etcd_peer_port": _port,
    "etcd_version": _version,
}
