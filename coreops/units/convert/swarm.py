"""A service of Docker Swarm, as the Engine API takes it (``POST /services/create``). Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coreops.units import glob
from coreops.units.convert import options
from coreops.units.convert.loss import Loss, Note
from coreops.units.convert.service import Service, fleet_losses

LABEL = "coreops.unit"
_SECOND = 1_000_000_000
_LONGEST = 63


def write(instances: Sequence[Service], machines: Mapping[str, str]) -> dict[str, Any]:
    """One service for instances that are the same. machines: machine-id -> host, for MachineID."""
    first = instances[0]
    container, service = _Container(first), {}
    container.fill()
    placement = _placement(first, machines)
    everywhere = first.wish.everywhere
    if len(instances) > 1 and not everywhere:  # fleet put them anywhere; one zone less should not be all of them
        placement["Preferences"] = [{"Spread": {"SpreadDescriptor": "node.labels.zone"}}]
    task: dict[str, Any] = {
        "ContainerSpec": container.spec,
        "RestartPolicy": {"Condition": first.restart, "Delay": int(first.delay * _SECOND)},
    }
    if placement:
        task["Placement"] = placement
    if container.limits:
        task["Resources"] = {"Limits": container.limits}
    if container.log:
        task["LogDriver"] = container.log
    if container.networks:
        task["Networks"] = [{"Target": network} for network in container.networks]
    service = {
        "Name": _name(first.base if len(instances) > 1 else first.name),
        "Labels": {LABEL: ",".join(each.wish.name for each in instances)},
        "TaskTemplate": task,
        "Mode": {"Global": {}} if everywhere else {"Replicated": {"Replicas": len(instances)}},
    }
    if container.ports:
        service["EndpointSpec"] = {"Ports": container.ports, "Mode": "dnsrr"}
    fleet_losses(first, "Swarm", lambda key: False)
    return service


def _name(text: str) -> str:
    """What Swarm takes for a name: letters, digits, - and _ inside; 63 of them."""
    found = re.sub(r"[^A-Za-z0-9_-]", "-", text).strip("-_") or "unit"
    if len(found) <= _LONGEST:
        return found
    return f"{found[: _LONGEST - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


class _Container:
    """Fills a ContainerSpec from the options of ``docker run``."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.spec: dict[str, Any] = {"Image": service.image, "StopGracePeriod": int(service.stop * _SECOND)}
        self.ports: list[dict[str, Any]] = []
        self.limits: dict[str, int] = {}
        self.log: dict[str, Any] = {}
        self.networks: list[str] = []
        if service.arguments:
            self.spec["Args"] = list(service.arguments)

    def fill(self) -> None:
        """All options; what Swarm has nothing for is lost."""
        for key, value, at in self.service.options:
            if key in _FREE:
                self.service.notes.append(Note(f"--{key}", _FREE[key], at))
            elif key in _LOST:
                why, instead = _LOST[key]
                self.service.losses.append(Loss(f"--{key}", why, instead, at))
            elif key not in _WORDS:
                self.service.losses.append(Loss(f"--{key}", "Swarm has nothing like it", "leave it out", at))
            else:
                try:
                    _WORDS[key](self, value)
                except ValueError as error:
                    self.service.losses.append(Loss(f"--{key}", str(error), "write it another way", at))

    def add(self, key: str, value: Any) -> None:
        self.spec.setdefault(key, []).append(value)

    def port(self, text: str) -> None:
        """Published on the node that the task runs on, as docker run does."""
        for each in options.port(text):
            port = {"TargetPort": each.container, "Protocol": each.protocol, "PublishMode": "host"}
            self.ports.append(port | ({"PublishedPort": each.host} if each.host else {}))
            if each.address and each.address != "0.0.0.0":
                raise ValueError(f"Swarm publishes on all addresses of a node, not on {each.address} alone")

    def mount(self, made: options.Mount) -> None:
        kind = "bind" if made.bind else "volume"
        found: dict[str, Any] = {"Type": kind, "Target": made.target} | ({"Source": made.source} if made.source else {})
        self.add("Mounts", found | ({"ReadOnly": True} if made.read_only else {}))
        if made.bind:
            where = self.service.at
            text = f"{made.source} must be there on every node that may run it (docker run makes it)"
            self.service.notes.append(Note(f"-v {made.source}", text, where))

    def environment(self, text: str) -> None:
        if "=" not in text:
            raise ValueError(f"{text} is taken from the docker client's environment, and here there is none")
        self.add("Env", text)

    def network(self, text: str) -> None:
        if text.startswith("container:"):
            raise ValueError("it is the network of another container, which may be on another node")
        if text not in ("bridge", "default"):
            self.networks.append(text)

    def label(self, text: str) -> None:
        key, _, value = text.partition("=")
        self.spec.setdefault("Labels", {})[key] = value

    def ulimit(self, text: str) -> None:
        name, soft, hard = options.ulimit(text)
        self.add("Ulimits", {"Name": name, "Soft": soft, "Hard": hard})

    def host(self, text: str) -> None:
        name, address = options.pair(text, ":")
        self.add("Hosts", f"{address} {name}")

    def sysctl(self, text: str) -> None:
        key, value = options.pair(text)
        self.spec.setdefault("Sysctls", {})[key] = value

    def log_option(self, text: str) -> None:
        key, value = options.pair(text)
        self.log.setdefault("Name", "json-file")
        self.log.setdefault("Options", {})[key] = value


def _set(key: str, make: Callable[[str], Any] = str) -> Callable[[_Container, str], None]:
    def word(container: _Container, value: str) -> None:
        container.spec[key] = make(value)

    return word


def _true(text: str) -> bool:
    return text == "true"


_WORDS: Mapping[str, Callable[[_Container, str], None]] = {
    "add-host": _Container.host,
    "cap-add": lambda c, v: c.add("CapabilityAdd", v),
    "cap-drop": lambda c, v: c.add("CapabilityDrop", v),
    "cpus": lambda c, v: c.limits.update(NanoCPUs=int(options.number(v) * _SECOND)),
    "dns": lambda c, v: c.spec.setdefault("DNSConfig", {}).setdefault("Nameservers", []).append(v),
    "dns-search": lambda c, v: c.spec.setdefault("DNSConfig", {}).setdefault("Search", []).append(v),
    "entrypoint": lambda c, v: c.spec.update(Command=[v]),
    "env": _Container.environment,
    "hostname": _set("Hostname"),
    "init": _set("Init", _true),
    "interactive": _set("OpenStdin", _true),
    "label": _Container.label,
    "log-driver": lambda c, v: c.log.update(Name=v),
    "log-opt": _Container.log_option,
    "memory": lambda c, v: c.limits.update(MemoryBytes=options.size(v)),
    "mount": lambda c, v: c.mount(options.mount_words(v)),
    "network": _Container.network,
    "pids-limit": lambda c, v: c.limits.update(Pids=int(options.number(v))),
    "publish": _Container.port,
    "read-only": _set("ReadOnly", _true),
    "stop-signal": _set("StopSignal"),
    "stop-timeout": lambda c, v: c.spec.update(StopGracePeriod=int(options.number(v) * _SECOND)),
    "sysctl": _Container.sysctl,
    "tmpfs": lambda c, v: c.add("Mounts", {"Type": "tmpfs", "Target": v.partition(":")[0]}),
    "tty": _set("TTY", _true),
    "ulimit": _Container.ulimit,
    "user": _set("User"),
    "volume": lambda c, v: c.mount(options.mount(v)),
    "workdir": _set("Dir"),
}
_FREE = {
    "name": "Swarm names its containers itself",
    "rm": "Swarm removes its containers itself",
    "detach": "a service is always in the background",
    "restart": "Restart= of the unit is used",
    "sig-proxy": "there is no client",
    "pull": "Swarm pulls what is missing",
}
_LOST = {
    "env-file": ("the file is on one machine", "write --env for each, or use a Swarm config"),
    "link": ("Swarm has no links", "use a network of the cluster and the service's name"),
    "volumes-from": ("the other container may be on another node", "use a volume by name"),
    "privileged": (
        "services cannot be privileged",
        "use --cap-add, or keep it on `scheduler: units`",
    ),
    "device": ("services have no devices", "keep it on `scheduler: units`"),
    "pid": ("services cannot share it", "keep it on `scheduler: units`"),
    "ipc": ("services cannot share it", "keep it on `scheduler: units`"),
    "publish-all": ("ports are published by number", "write --publish for each"),
}


def _placement(service: Service, machines: Mapping[str, str]) -> dict[str, Any]:
    wish, found = service.wish, []
    at = service.places
    if wish.machine_id:
        host = machines.get(wish.machine_id) or machines.get(wish.machine_id[:8])
        if host is None and _looks_like_an_id(wish.machine_id):
            instead = f"say which host it is: --machine {wish.machine_id[:8]}=HOST"
            service.losses.append(
                Loss("MachineID", "Swarm does not know machine-ids", instead, at.get("MachineID", service.at))
            )
        else:
            found.append(f"node.labels.coreops.host=={host or wish.machine_id}")
    for key, values in sorted(wish.metadata.items()):
        if len(values) > 1:
            instead = "give the nodes one label that says it"
            words = " or ".join(sorted(values))
            place = at.get("MachineMetadata", service.at)
            service.losses.append(Loss(f"MachineMetadata {key}={words}", "Swarm has no or", instead, place))
        found += [f"node.labels.{key}=={value}" for value in values if len(values) == 1]
    made: dict[str, Any] = {"Constraints": found} if found else {}
    others = [pattern for pattern in wish.conflicts if not glob.matches(pattern, wish.name)]
    if len(others) < len(wish.conflicts) and not wish.everywhere:
        made["MaxReplicas"] = 1
    for pattern in others:
        instead = "give the nodes labels, and each service its own (MachineMetadata)"
        place = at.get("Conflicts", service.at)
        service.losses.append(Loss(f"Conflicts={pattern}", "services cannot keep away from each other", instead, place))
    return made


def _looks_like_an_id(text: str) -> bool:
    return len(text) in (8, 32) and all(letter in "0123456789abcdef" for letter in text)
