"""The variables ``fleet_*`` and the fleet.conf that comes of them. Pure.

fleet.conf is INI without sections, as fleet's parser has it: ``key="value"``, no escapes at all, at most 4096 bytes a
line. What cannot be written like that is refused here, so that fleetd never reads something else than was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from coreops.errors import InputError
from coreops.schedulers import readers
from coreops.schedulers.fleet import names
from coreops.schedulers.protocol import Cluster, Host

CONF = "/etc/fleet/fleet.conf"
PKI = "/etc/fleet/pki"
PREFIX = "/_coreos.com/fleet/"
_LONGEST = 4000
_DURATION = re.compile(r"(\d+(\.\d+)?(ms|s|m|h))+")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_URL = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?/?", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9._:/@-]+", re.ASCII)


def conf(cluster: Cluster, host: Host) -> str:
    """The whole file. Raises InputError for what cannot be said in it."""
    own = host.settings
    servers = own.get("fleet_etcd_servers") or cluster.store
    settings: dict[str, object] = {
        "etcd_servers": ",".join(servers),
        "etcd_key_prefix": own.get("fleet_etcd_key_prefix", PREFIX),
        "etcd_request_timeout": own.get("fleet_etcd_request_timeout", 3.0),
        "public_ip": own.get("fleet_public_ip", host.address),
        "metadata": metadata(cluster, host),
        "agent_ttl": own.get("fleet_agent_ttl", "30s"),
        "engine_reconcile_interval": own.get("fleet_engine_reconcile_interval", 2.0),
        "token_limit": own.get("fleet_token_limit", 100),
        "verbosity": own.get("fleet_verbosity", 0),
        "disable_engine": str(own.get("fleet_disable_engine", False)).lower(),
        "disable_watches": str(own.get("fleet_disable_watches", False)).lower(),
    }
    if any(server.startswith("https://") for server in servers):
        settings |= {f"etcd_{kind}file": f"{PKI}/{name}" for kind, name in _FILES.items()}
    lines = [f"{key}={_quoted(str(value), cluster, host, key)}" for key, value in settings.items()]
    return "# Managed by coreops: bootstrap writes this file anew.\n" + "\n".join(lines) + "\n"


_FILES = {"ca": "ca.crt", "cert": "client.crt", "key": "client.key"}


def metadata(cluster: Cluster, host: Host) -> str:
    """``k=v,k=v``: which host this is, its labels, and what ``fleet_metadata`` says besides."""
    pairs = {names.KEY: names.spelled(host.name)}
    for variable, told in (("node_labels", host.labels), ("fleet_metadata", host.settings.get("fleet_metadata", {}))):
        for key, value in told.items():
            why = _unsayable(key, value)
            if why:
                raise InputError(
                    f"the label {key} of {host.name} cannot be metadata of fleet",
                    where=cluster.origin(host.name, "zone" if key == "zone" else variable),
                    why=why,
                    next="give it another value",
                )
            pairs[key] = value
    return ",".join(f"{key}={value}" for key, value in pairs.items())


def _unsayable(key: str, value: str) -> str:
    if key == names.KEY:
        return "coreops sets it itself"
    for text in (key, value):
        if not text or text != text.strip():
            return "fleet strips blanks, and a unit cannot ask for an empty value"
        if "," in text:
            return "fleet separates its metadata by commas, and knows no way to write one"
        if "=" in text:
            return "a unit cannot ask for a value with = in it (MachineMetadata=key=value)"
        if "\n" in text or "\r" in text:
            return "fleet.conf has one line a setting"
    return ""


def _quoted(value: str, cluster: Cluster, host: Host, key: str) -> str:
    quote = '"' if '"' not in value else "'"
    written = f"{quote}{value}{quote}"
    if quote in value or len(written.encode()) > _LONGEST:
        raise InputError(
            f"{key} of {host.name} cannot be written into fleet.conf",
            where=cluster.origin(host.name, "node_labels" if key == "metadata" else f"fleet_{key}"),
            why="it has both kinds of quotes" if quote in value else f"a line may have {_LONGEST} bytes",
            next="shorten it, or leave one kind of quotes out",
        )
    return written


def _text(value: object) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError(f"it must be a plain text, found {value!r:.80}")
    return value


def _servers(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"it must be a list of etcd's client URLs, found {value!r:.80}")
    for each in value:
        if not isinstance(each, str) or not _URL.fullmatch(each):
            raise ValueError(f"{each!r:.80} is not like https://etcd-1:2379")
    return tuple(value)


def _prefix(value: object) -> str:
    text = _text(value)
    if not text.startswith("/"):
        raise ValueError(f"it must begin with /, found {text!r:.80}")
    return text


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3600:
        raise ValueError(f"it must be seconds, found {value!r:.80}")
    return float(value)


def _duration(value: object) -> str:
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(f'it must be a time like "30s", found {value!r:.80}')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|[smh])", value))
    if seconds < 5:
        raise ValueError(f"below 5s fleet takes living machines for dead, found {value!r}")
    return value


def _count(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"it must be a number from {low} to {high}, found {value!r:.80}")
        return value

    return read


def _pairs(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it must be a mapping of keys to values, found {value!r:.80}")
    if any(isinstance(each, list | dict) or each is None for each in value.values()):
        raise ValueError("its values must be texts")
    return {str(key): str(each).lower() if isinstance(each, bool) else str(each) for key, each in value.items()}


def _one(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"it must be {' or '.join(words)}, found {value!r:.80}")
        return str(value)

    return read


def _version(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"v?\d+\.\d+\.\d+", value):
        raise ValueError(f"it must look like '0.11.8', found {value!r:.80}")
    return value


VARIABLES: Mapping[str, Callable[[object], Any]] = {
    "fleet_agent_ttl": _duration,
    "fleet_disable_engine": readers.flag,
    "fleet_disable_watches": readers.flag,
    "fleet_drain_at_once": _count(1, 1000),
    "fleet_engine_reconcile_interval": _seconds,
    "fleet_etcd_key_prefix": _prefix,
    "fleet_etcd_request_timeout": _seconds,
    "fleet_etcd_servers": _servers,
    "fleet_install": _one("image", "archive"),
    "fleet_metadata": _pairs,
    "fleet_public_ip": _text,
    "fleet_stuck": _one("refuse", "stop"),
    "fleet_token_limit": _count(10, 1000),
    "fleet_verbosity": _count(0, 2),
    "fleet_version": _version,
}
