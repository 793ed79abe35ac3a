"""fleet in memory: its registry, its engine and its agents, as pure rules.

Written after the source of fleet 1.0.0 (engine/reconciler.go, engine/scheduler.go, engine/state.go, agent/state.go,
agent/reconcile.go, job/job.go, registry/job.go, registry/machine.go), and not after ``coreops.schedulers.fleet``: it
shares nothing with that. ``old``: as 0.11.8 differs. Time passes in ticks: an engine's pass, an agents' pass, a bit of
systemd.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Options = list[dict[str, str]]
STILL = ("active", "activating", "deactivating")


@dataclass
class Machine:
    """A fleetd that is alive, and its systemd. cache: what the agent has loaded and what it has launched."""

    id: str
    ip: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    cache: dict[str, str] = field(default_factory=dict)
    systemd: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, Options] = field(default_factory=dict)


@dataclass
class Job:
    name: str
    options: Options = field(default_factory=list)
    target_state: str = "inactive"
    target: str = ""

    def values(self, *keys: str) -> list[str]:
        found = []
        for key in keys:
            found += [o["value"] for o in self.options if o["section"] == "X-Fleet" and o["name"] == key]
        return [printf(value, self.name) for value in found]

    @property
    def everywhere(self) -> bool:
        values = self.values("Global")
        return bool(values) and values[-1].lower() in ("true", "yes", "1", "on", "t")

    @property
    def conflicts(self) -> list[str]:
        return [word for value in self.values("X-Conflicts", "Conflicts") for word in value.split()]

    @property
    def peers(self) -> list[str]:
        return self.values("X-ConditionMachineOf", "MachineOf")

    @property
    def required(self) -> str:
        for key in ("MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID"):
            if values := self.values(key):
                return values[0]
        return ""

    @property
    def metadata(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for pair in self.values("X-ConditionMachineMetadata", "MachineMetadata"):
            parts = pair.split("=")
            if len(parts) == 2 and parts[0] and parts[1]:
                found.setdefault(parts[0], set()).add(parts[1])
        return found


class Fleet:
    """The whole cluster."""

    def __init__(self, *, old: bool = False, seed: int = 0) -> None:
        self.old = old
        self.machines: dict[str, Machine] = {}
        self.dynamic: dict[str, dict[str, str]] = {}
        self.jobs: dict[str, Job] = {}
        self.stubborn: set[str] = set()
        self.dice = random.Random(seed)

    def metadata(self, machine: Machine) -> dict[str, str]:
        """registry/machine.go mergeMetadata."""
        merged = dict(machine.metadata)
        for key, value in self.dynamic.get(machine.id, {}).items():
            if value:
                merged[key] = value
            else:
                merged.pop(key, None)
        return merged

    def tick(self) -> None:
        self.engine()
        for machine in self.machines.values():
            self.agent(machine)
            for name, state in list(machine.systemd.items()):
                if state == "activating":
                    machine.systemd[name] = "active"
                elif state == "deactivating" and name not in self.stubborn:
                    machine.systemd[name] = "inactive"
                    if name not in machine.cache:
                        del machine.systemd[name]

    # engine/reconciler.go

    def engine(self) -> None:
        """One pass. Jobs are taken in any order, as Go's maps have it."""
        jobs = [job for job in self.jobs.values() if not job.everywhere]
        self.dice.shuffle(jobs)
        for job in jobs:
            if not job.target:
                continue
            agents = self.agents()
            inactive = job.target_state == "inactive"
            if inactive or job.target not in agents or self.unable(job, job.target, agents[job.target]):
                job.target = ""
        self.dice.shuffle(jobs)
        for job in jobs:
            if job.target or job.target_state == "inactive":
                continue
            agents = self.agents()
            for id in sorted(agents, key=lambda id: (len(agents[id]), id)):
                if not self.unable(job, id, agents[id]):
                    job.target = id
                    break

    def agents(self) -> dict[str, dict[str, Job]]:
        """engine/state.go agents: what the engine counts as being on each machine."""
        found: dict[str, dict[str, Job]] = {id: {} for id in self.machines}
        for job in self.jobs.values():
            if not job.everywhere and job.target in found and job.target_state != "inactive":
                found[job.target][job.name] = job
        for job in self.jobs.values():
            if job.everywhere:
                for id, there in found.items():
                    if self.has(id, job.metadata) and (self.old or not self.conflict(job, there)):
                        there[job.name] = job
        return found

    def unable(self, job: Job, id: str, there: Mapping[str, Job]) -> str:
        """agent/state.go AbleToRun."""
        if job.required and job.required not in (id, id[:8]):
            return "another machine"
        if not self.has(id, job.metadata):
            return "metadata"
        if any(peer not in there for peer in job.peers):
            return "peers"
        return "conflict" if self.conflict(job, there) else ""

    def has(self, id: str, asked: Mapping[str, set[str]]) -> bool:
        local = self.metadata(self.machines[id])
        return all(local.get(key) in values for key, values in asked.items())

    @staticmethod
    def conflict(job: Job, there: Mapping[str, Job]) -> bool:
        for other in there.values():
            if other.name != job.name and (
                any(path_match(pattern, other.name) for pattern in job.conflicts)
                or any(path_match(pattern, job.name) for pattern in other.conflicts)
            ):
                return True
        return False

    # agent/reconcile.go

    def agent(self, machine: Machine) -> None:
        wanted: dict[str, Job] = {}
        for name in sorted(self.jobs):
            job = self.jobs[name]
            here = self.has(machine.id, job.metadata) if job.everywhere else job.target == machine.id
            if here and (self.old or not self.conflict(job, wanted)):
                wanted[name] = job
        for name in sorted({*machine.cache, *wanted}):
            to = wanted[name].target_state if name in wanted else "inactive"
            now = machine.cache.get(name)
            if now is not None and (to == "inactive" or machine.hashes[name] != wanted[name].options):
                self._stop(machine, name)
                del machine.cache[name]
                if machine.systemd.get(name) == "inactive":
                    del machine.systemd[name]
                now = None
            if to == "inactive" or now == to:
                continue
            if now is None:
                machine.hashes[name] = wanted[name].options
                machine.systemd.setdefault(name, "inactive")
            if to == "launched":
                machine.systemd[name] = "activating"
            elif now == "launched":
                self._stop(machine, name)
            machine.cache[name] = to

    @staticmethod
    def _stop(machine: Machine, name: str) -> None:
        if machine.systemd.get(name) in STILL:
            machine.systemd[name] = "deactivating"

    # client/registry.go, schema/mapper.go

    def units(self) -> list[dict[str, Any]]:
        return [self.unit(name) for name in sorted(self.jobs)]

    def unit(self, name: str) -> dict[str, Any]:
        """Fields in the order of the Go struct; what is empty is left out."""
        job = self.jobs[name]
        current = "inactive"
        machine = self.machines.get(job.target)
        if machine is not None and name in machine.cache:
            current = machine.cache[name]
        raw = {
            "currentState": current,
            "desiredState": job.target_state,
            "machineID": job.target,
            "name": name,
            "options": [{"name": o["name"], "section": o["section"], "value": o["value"]} for o in job.options],
        }
        return {key: value for key, value in raw.items() if value}

    def states(self) -> list[dict[str, str]]:
        """Only what agents have loaded is told of: who is unloaded is not, even while it stops."""
        found = []
        for id, machine in self.machines.items():
            for name in machine.cache:
                active = machine.systemd.get(name, "inactive")
                sub = {"active": "running", "deactivating": "stop-sigterm", "activating": "start"}.get(active, "dead")
                found.append(
                    {
                        "hash": "0" * 40,
                        "machineID": id,
                        "name": name,
                        "systemdActiveState": active,
                        "systemdLoadState": "loaded",
                        "systemdSubState": sub,
                    }
                )
        return sorted(found, key=lambda state: (state["name"], state["machineID"]))


def printf(value: str, name: str) -> str:
    """unit.UnitNameInfo and unitPrintf."""
    stem = name[: name.rindex(".")] if "." in name else name
    prefix, _, instance = stem.partition("@")
    return value.replace("%n", name).replace("%N", stem).replace("%p", prefix).replace("%i", instance)


@lru_cache(maxsize=100_000)
def path_match(pattern: str, name: str) -> bool:
    """Go's path.Match, by trying; False for a malformed pattern."""
    try:
        return _match(pattern, name)
    except ValueError:
        return False


def _match(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        rest = pattern.lstrip("*")
        return any("/" not in name[:i] and _match(rest, name[i:]) for i in range(len(name) + 1))
    if not name:
        return False
    if pattern[0] == "?":
        return name[0] != "/" and _match(pattern[1:], name[1:])
    if pattern[0] == "[":
        inside, rest = _class(pattern[1:], name[0])
        return inside and _match(rest, name[1:])
    if pattern[0] == "\\":
        pattern = pattern[1:]
        if not pattern:
            raise ValueError("bad pattern")
    return pattern[0] == name[0] and _match(pattern[1:], name[1:])


def _class(chunk: str, char: str) -> tuple[bool, str]:
    negated = chunk[:1] == "^"
    chunk = chunk[negated:]
    found, ranges = False, 0
    while not (chunk[:1] == "]" and ranges):
        low, chunk = _esc(chunk)
        high = low
        if chunk[:1] == "-":
            high, chunk = _esc(chunk[1:])
        found = found or low <= char <= high
        ranges += 1
    return found != negated, chunk[1:]


def _esc(chunk: str) -> tuple[str, str]:
    if not chunk or chunk[0] in "-]":
        raise ValueError("bad pattern")
    if chunk[0] == "\\":
        chunk = chunk[1:]
        if not chunk:
            raise ValueError("bad pattern")
    return chunk[0], chunk[1:]
