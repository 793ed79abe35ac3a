"""A job of Nomad, as its HTTP API takes it (``PUT /v1/jobs``). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from coreops.schedulers.nomad.settings import meta_key
from coreops.units import glob
from coreops.units.convert import options
from coreops.units.convert.loss import Loss, Note
from coreops.units.convert.service import Service, fleet_losses

_SECOND = 1_000_000_000
_FREE = {
    "name": "Nomad names its containers itself",
    "rm": "Nomad removes its containers itself",
    "detach": "a task is always in the background",
    "restart": "Restart= of the unit is used",
    "sig-proxy": "there is no client",
    "pull": "Nomad pulls what is missing",
}
# docker run's option -> the docker driver's, and whether it is a list.
_CONFIG = {
    "add-host": ("extra_hosts", True),
    "cap-add": ("cap_add", True),
    "cap-drop": ("cap_drop", True),
    "dns": ("dns_servers", True),
    "dns-search": ("dns_search_domains", True),
    "hostname": ("hostname", False),
    "ipc": ("ipc_mode", False),
    "network": ("network_mode", False),
    "pid": ("pid_mode", False),
    "volume": ("volumes", True),
    "workdir": ("work_dir", False),
}
_SWITCHES = {
    "init": "init",
    "interactive": "interactive",
    "privileged": "privileged",
    "read-only": "readonly_rootfs",
    "tty": "tty",
}


def write(instances: Sequence[Service], machines: Mapping[str, str]) -> dict[str, Any]:
    """One job for instances that are the same. machines: machine-id -> host, for MachineID."""
    first = instances[0]
    name = first.base if len(instances) > 1 else first.name
    task = _Task(first)
    task.fill()
    wanted = _constraints(first, machines)
    group: dict[str, Any] = {
        "Name": name,
        "RestartPolicy": _restart(first),
        "Tasks": [
            {
                "Name": name,
                "Driver": "docker",
                "User": task.user,
                "Config": task.config,
                "Env": task.environment,
                "KillTimeout": int(first.stop * _SECOND),
                "KillSignal": task.signal,
                "Resources": task.resources,
            }
        ],
    }
    if not first.wish.everywhere:
        group["Count"] = len(instances)
        if len(instances) > 1:  # fleet put them anywhere; one zone less should not be all of them
            group["Spreads"] = [{"Attribute": "${meta.zone}", "Weight": 50}]
        if first.restart == "none":
            group["ReschedulePolicy"] = {"Attempts": 0, "Unlimited": False}
    if task.ports:
        group["Networks"] = [task.network()]
    own = [pattern for pattern in first.wish.conflicts if glob.matches(pattern, first.wish.name)]
    if own and not first.wish.everywhere:
        group["Constraints"] = [{"Operand": "distinct_hosts", "RTarget": "true"}]
    _conflicts(first, own)
    fleet_losses(first, "Nomad", lambda key: False)
    job: dict[str, Any] = {
        "ID": name,
        "Name": name,
        "Type": "system" if first.wish.everywhere else "service",
        "Datacenters": ["*"],
        "Meta": {"coreops.unit": ",".join(each.wish.name for each in instances)},
        "TaskGroups": [group],
    }
    return {"Job": job | ({"Constraints": wanted} if wanted else {})}


def _restart(service: Service) -> dict[str, Any]:
    """Nomad refuses an interval that is too short for all attempts."""
    delay = max(1, int(service.delay))
    again = service.restart != "none"
    return {
        "Attempts": 3 if again else 0,
        "Interval": max(300, 4 * delay) * _SECOND,
        "Delay": delay * _SECOND,
        "Mode": "delay" if again else "fail",
    }


class _Task:
    """Fills a task from the options of ``docker run``."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.config: dict[str, Any] = {"image": service.image}
        self.environment: dict[str, str] = {}
        self.ports: list[options.Port] = []
        self.resources: dict[str, int] = {}
        self.user = ""
        self.signal = ""
        if service.arguments:
            self.config["args"] = list(service.arguments)

    def fill(self) -> None:
        """All options; what Nomad has nothing for is lost."""
        for key, value, at in self.service.options:
            if key in _FREE:
                self.service.notes.append(Note(f"--{key}", _FREE[key], at))
                continue
            try:
                known = self._word(key, value)
            except ValueError as error:
                self.service.losses.append(Loss(f"--{key}", str(error), "write it another way", at))
                continue
            if not known:
                self.service.losses.append(Loss(f"--{key}", "it was not translated", "write the job by hand", at))

    def network(self) -> dict[str, Any]:
        """Ports of the node, as docker run publishes them."""
        made: dict[str, list[dict[str, Any]]] = {}
        for each in self.ports:
            port = {"Label": f"port{each.container}", "To": each.container}
            into = made.setdefault("ReservedPorts" if each.host else "DynamicPorts", [])
            into.append(port | ({"Value": each.host} if each.host else {}))
        return dict(made)

    def _word(self, key: str, value: str) -> bool:
        if key in _CONFIG:
            name, many = _CONFIG[key]
            if name == "volumes" and not options.mount(value).source:
                raise ValueError("Nomad wants a volume to have a name")
            if value.startswith("container:"):
                raise ValueError("it is that of another container, which may be on another node")
            self.config[name] = [*self.config.get(name, []), value] if many else value
        elif key in _SWITCHES:
            self.config[_SWITCHES[key]] = value == "true"
        elif key == "env":
            name, _, text = value.partition("=")
            if "=" not in value:
                raise ValueError(f"{value} is taken from the docker client's environment, and here there is none")
            self.environment[name] = text
        elif key == "entrypoint":
            self.config["entrypoint"] = [value]
        elif key == "publish":
            found = options.port(value)
            if any(each.address not in ("", "0.0.0.0") or each.protocol == "sctp" for each in found):
                raise ValueError("Nomad publishes tcp and udp on the node's address")
            self.ports += found
            self.config["ports"] = [f"port{each.container}" for each in self.ports]
        elif key == "label":
            name, _, text = value.partition("=")
            self.config.setdefault("labels", {})[name] = text
        elif key == "ulimit":
            name, soft, hard = options.ulimit(value)
            self.config.setdefault("ulimit", {})[name] = f"{soft}:{hard}"
        elif key == "sysctl":
            name, text = options.pair(value)
            self.config.setdefault("sysctl", {})[name] = text
        elif key == "memory":
            self.resources["MemoryMB"] = max(10, options.size(value) // 1024**2)
        elif key == "cpus":
            self.resources["CPU"] = int(options.number(value) * 1000)
            self.service.notes.append(Note("--cpus", "Nomad counts MHz: 1000 for one was taken", self.service.at))
        elif key == "user":
            self.user = value
        elif key == "stop-signal":
            self.signal = value
        elif key == "stop-timeout":
            self.service.stop = options.number(value)
        else:
            return False
        return True


def _constraints(service: Service, machines: Mapping[str, str]) -> list[dict[str, str]]:
    found = []
    wish = service.wish
    if wish.machine_id:
        host = machines.get(wish.machine_id) or machines.get(wish.machine_id[:8], wish.machine_id)
        found.append({"LTarget": "${node.unique.name}", "Operand": "=", "RTarget": host})
        if host == wish.machine_id:
            text = "taken for the node's name; --machine ID=HOST says which host an id is"
            service.notes.append(Note("MachineID", text, service.places.get("MachineID", service.at)))
    for key, values in sorted(wish.metadata.items()):
        one = len(values) == 1
        right = next(iter(values)) if one else f"^({'|'.join(sorted(map(re.escape, values)))})$"
        found.append({"LTarget": f"${{meta.{meta_key(key)}}}", "Operand": "=" if one else "regexp", "RTarget": right})
    return found


def _conflicts(service: Service, own: Sequence[str]) -> None:
    at = service.places.get("Conflicts", service.at)
    for pattern in service.wish.conflicts:
        if pattern not in own:
            instead = "give the nodes meta, and each job its own (MachineMetadata)"
            service.losses.append(Loss(f"Conflicts={pattern}", "jobs cannot keep away from each other", instead, at))
