"""The variables of an inventory that begin with ``swarm_`` and ``docker_``: how each is read, and what does not go
together. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from coreops.errors import InputError
from coreops.schedulers import readers
from coreops.schedulers.protocol import Cluster, Host

PORT: Final = 2377
LOG_OPTIONS: Final = {"max-size": "10m", "max-file": "3"}

_OWNED: Final = {
    "default-ulimits": "docker_ulimits",
    "log-driver": "docker_log_driver",
    "log-opts": "docker_log_options",
    "storage-driver": "docker_storage_driver",
    "registry-mirrors": "docker_registry_mirrors",
    "insecure-registries": "docker_insecure_registries",
    "data-root": "docker_data_root",
    "proxies": "docker_proxy",
    "live-restore": "docker_live_restore",
}
_NEVER: Final = {
    "hosts": "the engine's socket is systemd's, and coreops asks the engine through it",
    "cluster-store": "that is the Swarm from before 2016",
    "cluster-advertise": "that is the Swarm from before 2016",
    "swarm-default-advertise-addr": "use swarm_advertise_address",
}
_LIVE_RESTORE: Final = (
    "an engine in a swarm cannot have live-restore (dockerd says that they are incompatible, and does not start); a"
    " swarm moves tasks to other nodes before coreops restarts an engine"
)
_AUTOLOCK: Final = (
    "a locked manager waits for a key after each restart, so no node would come back by itself from the reboot of an"
    " upgrade or of a crash"
)


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for a swarm as a whole. None: as it is."""

    addr_pool: tuple[str, ...] | None = None
    addr_pool_mask: int | None = None
    data_path_port: int | None = None
    task_history: int | None = None
    cert_expiry: int | None = None
    ca_rotation: int | None = None
    adopt: bool = False


def options(cluster: Cluster) -> Options:
    """Read them off the hosts, which must agree. Raises InputError."""
    found: dict[str, Any] = {}
    for field in Options.__dataclass_fields__:
        variable = f"swarm_{field}" if field != "addr_pool" else "swarm_default_addr_pool"
        variable = "swarm_default_addr_pool_mask" if field == "addr_pool_mask" else variable
        said = {host.name: host.settings[variable] for host in cluster.hosts if variable in host.settings}
        if len({repr(value) for value in said.values()}) > 1:
            first, *others = said
            other = next(name for name in others if said[name] != said[first])
            raise InputError(
                f"{variable} is {said[first]} for {first} and {said[other]} for {other}",
                where=cluster.origin(other, variable),
                why="it holds for the swarm as a whole",
                next="set it once, for all hosts",
            )
        if said:
            found[field] = next(iter(said.values()))
    return Options(**found)


def daemon(host: Host) -> dict[str, Any]:
    """The host's /etc/docker/daemon.json."""
    settings = host.settings
    made: dict[str, Any] = {}
    # How many files a container may open comes from the units' LimitNOFILE, which gives what the node can give.
    if limits := settings.get("docker_ulimits"):
        made["default-ulimits"] = limits
    driver = settings.get("docker_log_driver", "json-file")
    made["log-driver"] = driver
    usual = LOG_OPTIONS if driver in ("json-file", "local") else {}
    if chosen := settings.get("docker_log_options", usual):
        made["log-opts"] = chosen
    for key in ("storage-driver", "registry-mirrors", "insecure-registries", "data-root"):
        if value := settings.get(_OWNED[key]):
            made[key] = list(value) if isinstance(value, tuple) else value
    return {**made, **settings.get("docker_options", {})}


def proxy(cluster: Cluster, host: Host) -> str:
    """The environment of the host's engine, as systemd reads it."""
    said = dict(host.settings.get("docker_proxy", {}))
    if set(said) - {"no_proxy"}:
        # Before 19.03 an engine asks its proxy for the managers, too, and then no second one can join (swarmkit 2802).
        own = [each for each in said.get("no_proxy", "").split(",") if each.strip()]
        said["no_proxy"] = ",".join(dict.fromkeys([*own, *(place(each) for each in cluster.managers)]))
    lines = []
    for word, value in said.items():
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        lines += [f'{name}="{quoted}"' for name in (word.upper(), word)]
    return "".join(f"{line}\n" for line in lines)


def place(host: Host) -> str:
    """The address that it advertises. Raises ValueError for one that the engine would not take."""
    return _ip(host.settings.get("swarm_advertise_address", host.address))


def address(host: Host) -> str:
    """Where other nodes of the swarm reach it: HOST:PORT."""
    found = place(host)
    return f"[{found}]:{port(host)}" if ":" in found else f"{found}:{port(host)}"


def listen(host: Host) -> str:
    """Where a manager listens."""
    found = host.settings.get("swarm_listen_address", "0.0.0.0")
    return f"[{found}]:{port(host)}" if ":" in found else f"{found}:{port(host)}"


def port(host: Host) -> int:
    return int(host.settings.get("swarm_port", PORT))


def _off(why: str) -> Callable[[object], bool]:
    def read(value: object) -> bool:
        if readers.flag(value):
            raise ValueError(why)
        return False

    return read


def _address(value: object) -> str:
    text = readers.text(value)
    if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+", text, re.ASCII):
        raise ValueError(f"it must be an address or the name of an interface, found {text!r:.80}")
    return text


def _ip(value: object) -> str:
    try:
        return str(ipaddress.ip_address(readers.text(value)))
    except ValueError:
        raise ValueError(f"it must be an IP address, found {value!r:.80}") from None


def _networks(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"it must be a list of networks such as 10.20.0.0/16, found {value!r:.80}")
    found: list[ipaddress.IPv4Network] = []
    for each in value:
        try:
            network = ipaddress.IPv4Network(readers.text(each))
        except ValueError as error:
            raise ValueError(f"{each!r:.80} is not an IPv4 network: {error}") from None
        if other := next((other for other in found if other.overlaps(network)), None):
            raise ValueError(f"{network} and {other} overlap")
        found.append(network)
    return tuple(map(str, found))


def _duration(value: object) -> int:
    match = re.fullmatch(r"(\d{1,6})([hdw])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"it must be a time such as 720h, 90d or 12w, found {value!r:.80}")
    hours = int(match[1]) * {"h": 1, "d": 24, "w": 168}[match[2]]
    if hours < 1:
        raise ValueError(f"it must be at least an hour, found {value!r}")
    return hours * 3600 * 10**9


def _ulimits(value: object) -> dict[str, dict[str, Any]]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it must be a mapping such as {{nofile: 65536}}, found {value!r:.80}")
    found = {}
    for name, each in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[a-z]+", name):
            raise ValueError(f"{name!r:.80} is not a limit")
        pair = each if isinstance(each, Mapping) else {"soft": each, "hard": each}
        if set(pair) != {"soft", "hard"}:
            raise ValueError(f"{name} must be a number, or have soft and hard, found {each!r:.80}")
        numbers = {key: _limit(name, pair[key]) for key in ("soft", "hard")}
        if numbers["hard"] != -1 and (numbers["soft"] == -1 or numbers["soft"] > numbers["hard"]):
            raise ValueError(f"{name}: soft is above hard")
        found[name] = {"Name": name, "Soft": numbers["soft"], "Hard": numbers["hard"]}
    return found


def _limit(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < -1:
        raise ValueError(f"{name} must be a number (-1: no limit), found {value!r:.80}")
    return value


def _words(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it must be a mapping, found {value!r:.80}")
    found = {}
    for key, each in value.items():
        if isinstance(each, list | dict) or each is None:
            raise ValueError(f"{key} must be a text, found {each!r:.80}")
        # The engine takes options of a log driver as texts only.
        found[readers.text(key)] = str(each).lower() if isinstance(each, bool) else str(each)
    return found


def _list(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"it must be a list, found {value!r:.80}")
    return tuple(readers.text(each) for each in value)


def _mirrors(value: object) -> tuple[str, ...]:
    for each in (found := _list(value)):
        if not re.match(r"https?://[^/]", each):
            raise ValueError(f"a mirror is a URL such as https://mirror.example, found {each!r:.80}")
    return found


def _folder(value: object) -> str:
    text = readers.text(value)
    if not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*){2,}", text) or text.startswith("/usr/"):
        raise ValueError(f"it must be a plain absolute path at least two levels deep, and not in /usr, found {text!r}")
    return text


def _proxy(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not set(value) <= {"http", "https", "no"}:
        raise ValueError(
            "it must be a mapping with http, https, no: {https: http://proxy.example:3128, no: 10.0.0.0/8}"
        )
    found = {}
    for key in ("http", "https", "no"):
        if key in value:
            each = value[key]
            found[f"{key}_proxy"] = readers.text(",".join(map(str, each)) if isinstance(each, list) else each)
    return found


def _extra(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it must be a mapping of keys of daemon.json, found {value!r:.80}")
    for key in value:
        if key in _OWNED:
            raise ValueError(f"{key} is set by {_OWNED[key]}")
        if key in _NEVER:
            raise ValueError(f"{key} cannot be set: {_NEVER[key]}")
        if not isinstance(key, str) or not re.fullmatch(r"[a-z0-9-]+", key):
            raise ValueError(f"{key!r:.80} is not a key of daemon.json")
    return dict(value)


VARIABLES: Final[Mapping[str, Callable[[object], Any]]] = {
    "docker_data_root": _folder,
    "docker_insecure_registries": _list,
    "docker_live_restore": _off(_LIVE_RESTORE),
    "docker_log_driver": readers.text,
    "docker_log_options": _words,
    "docker_options": _extra,
    "docker_proxy": _proxy,
    "docker_registry_mirrors": _mirrors,
    "docker_storage_driver": readers.text,
    "docker_ulimits": _ulimits,
    "swarm_adopt": readers.flag,
    "swarm_advertise_address": _ip,
    "swarm_autolock": _off(_AUTOLOCK),
    "swarm_ca_rotation": readers.number(0, 10**9),
    "swarm_cert_expiry": _duration,
    "swarm_data_path_address": _address,
    "swarm_data_path_port": readers.number(1024, 49151),
    "swarm_default_addr_pool": _networks,
    "swarm_default_addr_pool_mask": readers.number(8, 29),
    "swarm_listen_address": _address,
    "swarm_port": readers.number(1, 65535),
    "swarm_task_history": readers.number(0, 1000),
}
