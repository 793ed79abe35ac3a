"""``coreops units`` on Docker Swarm: units become services (``coreops.units.convert``), by the Engine API. Pure.

A service that this made has the label ``coreops.unit``, with the names of the units it is; others are left alone. A
unit that is submitted or stopped is a service of no replicas.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from coreops.errors import HostFailed, InputError, RefusedError, did_you_mean
from coreops.schedulers.protocol import Pause, Talk
from coreops.schedulers.swarm import engine, state
from coreops.units import glob
from coreops.units.convert.swarm import LABEL
from coreops.units.loading import Loaded
from coreops.units.names import natural, read
from coreops.units.rows import Row, Status

HASH = "coreops.unit.hash"
_SERVICES = engine.path("/services", label=[LABEL])


@dataclass(frozen=True, slots=True)
class Service:
    """A service that units became."""

    id: str
    version: int
    spec: Mapping[str, Any]

    @property
    def units(self) -> tuple[str, ...]:
        return _units(self.spec)

    @property
    def everywhere(self) -> bool:
        return "Global" in self.spec["Mode"]

    @property
    def replicas(self) -> int:
        return int(self.spec["Mode"].get("Replicated", {}).get("Replicas", 0))

    def with_replicas(self, count: int) -> dict[str, Any]:
        return {**self.spec, "Mode": {"Replicated": {"Replicas": count}}}


class Swarm:
    """documents: what the units that are to be submitted were converted to. lossy: some of their wishes may be lost."""

    def __init__(self, documents: Sequence[Mapping[str, Any]] = (), *, lossy: bool = False) -> None:
        self._documents = [_stamped(document) for document in documents]
        self._lossy = lossy

    def submit(self, units: Sequence[Loaded]) -> Talk[None]:
        yield from self._check(units)
        yield from self._put(start=False)

    def start(self, units: Sequence[Loaded], names: Collection[str]) -> Talk[None]:
        if names:
            yield from self._scale(names, start=True)
        if units:
            yield from self._check(units)
            yield from self._put(start=True)

    def stop(self, names: Collection[str]) -> Talk[None]:
        yield from self._scale(names, start=False)

    def destroy(self, names: Collection[str]) -> Talk[None]:
        services = yield from self._services()
        gone = list(_whole(services, names, missing=True))
        for service in gone:
            answer = yield from engine.send("remove a service", "DELETE", f"/services/{service.id}")
            if not answer.good and answer.status != 404:
                raise HostFailed("could not remove a service", why=answer.message)
        ids = {service.id for service in gone}
        while ids:
            (answer,) = yield from engine.get("ask for tasks", "/tasks")
            tasks = state.read_tasks(answer.data or [])
            left = tuple(f"task {task.id[:12]} ({task.state})" for task in tasks if task.service in ids and _runs(task))
            if not left:
                return
            yield Pause(left)

    def status(self) -> Talk[Status]:
        services, tasks, nodes = yield from engine.get("ask for services", _SERVICES, "/tasks", "/nodes")
        hosts = {entry.id: entry.name for entry in state.read_nodes(nodes.data or [])}
        rows: list[Row] = []
        unplaced: dict[str, str] = {}
        for service in sorted(_read(services.data), key=lambda each: natural(each.units[0])):
            own = [raw for raw in tasks.data or [] if raw.get("ServiceID") == service.id]
            for row, why in _rows(service, own, hosts):
                rows.append(row)
                if why:
                    unplaced[row.name] = f"{row.name}: {why}"
        return Status(tuple(rows), unplaced)

    def _services(self) -> Talk[tuple[Service, ...]]:
        (answer,) = yield from engine.get("ask for services", _SERVICES)
        return tuple(_read(answer.data))

    def _check(self, units: Sequence[Loaded]) -> Talk[None]:
        """Nothing that runs may be lost, nor come to stand beside what it keeps away from."""
        services = yield from self._services()
        new = {str(each["Name"]): _units(each) for each in self._documents}
        for service in services:
            name = str(service.spec["Name"])
            gone = [unit for unit in service.units if unit not in new.get(name, service.units)]
            if gone:
                raise RefusedError(
                    f"the service {name} is {', '.join(service.units)} by now",
                    why=f"with the units that you name, it would no longer be {', '.join(gone)}",
                    next="name all of them, or destroy those first",
                )
            for unit in units if not self._lossy else ():
                met = [other for other in service.units if name not in new and _conflict(unit, other)]
                if met:
                    raise RefusedError(
                        f"Swarm cannot keep {unit.name.full} away from {met[0]}",
                        why=f"that is the service {name}, and services cannot keep away from each other",
                        next="destroy that one and start them together, or accept it with --allow-loss",
                    )

    def _put(self, *, start: bool) -> Talk[None]:
        for document in self._documents:
            while not (yield from self._one(document, start=start)):
                yield Pause((f"the service {document['Name']} to be written (somebody else writes too)",))

    def _one(self, document: Mapping[str, Any], *, start: bool) -> Talk[bool]:
        """Write one service; False: look again."""
        (answer,) = yield from engine.get("ask for services", engine.path("/services", name=[document["Name"]]))
        raw = next((each for each in answer.data or [] if each["Spec"]["Name"] == document["Name"]), None)
        title = f"write the service {document['Name']}"
        if raw is None:
            body = document if start else _quiet(document)
            answer = yield from engine.send(title, "POST", "/services/create", body)
            return _written(answer, title)
        known = Service(str(raw["ID"]), int(raw["Version"]["Index"]), raw["Spec"])
        if LABEL not in known.spec.get("Labels", {}):
            raise RefusedError(
                f"there is a service {document['Name']} that is somebody else's",
                why=f"it has no label {LABEL}",
                next="rename the unit, or remove the service",
            )
        running = start or known.everywhere or known.replicas > 0
        body = document if running else _quiet(document)
        same = known.spec["Labels"].get(HASH) == document["Labels"][HASH]
        if same and (known.everywhere or known.replicas == Service("", 0, body).replicas):
            return True
        where = f"/services/{known.id}/update?version={known.version}"
        answer = yield from engine.send(title, "POST", where, body)
        return _written(answer, title)

    def _scale(self, names: Collection[str], *, start: bool) -> Talk[None]:
        while True:
            again = False
            services = yield from self._services()
            for service in _whole(services, names, missing=False):
                count = len(service.units) if start else 0
                if service.everywhere and start:
                    continue
                if service.everywhere:
                    raise RefusedError(
                        f"{service.units[0]} is global",
                        why="Swarm has no stopped service that runs everywhere",
                        next="destroy it, and start it from its file again",
                    )
                if service.replicas != count:
                    where = f"/services/{service.id}/update?version={service.version}"
                    title = f"write the service {service.spec['Name']}"
                    answer = yield from engine.send(title, "POST", where, service.with_replicas(count))
                    again = again or not _written(answer, title)
            if not again:
                return
            yield Pause(("services to be written (somebody else writes too)",))


def _units(spec: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(spec.get("Labels", {}).get(LABEL, "")).split(","))


def _conflict(unit: Loaded, other: str) -> bool:
    return any(glob.matches(pattern, other) for pattern in unit.wish.conflicts)


def _stamped(document: Mapping[str, Any]) -> dict[str, Any]:
    text = json.dumps(document, sort_keys=True)
    labels = {**document["Labels"], HASH: hashlib.sha256(text.encode()).hexdigest()[:16]}
    return {**document, "Labels": labels}


def _quiet(document: Mapping[str, Any]) -> dict[str, Any]:
    if "Global" in document["Mode"]:
        raise RefusedError(
            f"the service {document['Name']} is global",
            why="Swarm has no service that is everywhere and does not run",
            next="start it at once: coreops units start FILE",
        )
    return {**document, "Mode": {"Replicated": {"Replicas": 0}}}


def _written(answer: engine.Answer, title: str) -> bool:
    if answer.good:
        return True
    if engine.transient(answer) or answer.status == 409:
        return False
    raise HostFailed(f"could not {title}", why=answer.message)


def _read(raw: Any) -> Iterator[Service]:
    for each in raw or ():
        if LABEL in each["Spec"].get("Labels", {}):
            yield Service(str(each["ID"]), int(each["Version"]["Index"]), each["Spec"])


def _whole(services: Sequence[Service], names: Collection[str], *, missing: bool) -> Iterator[Service]:
    """The services that these units are; a service goes as a whole. missing: a unit may be gone already."""
    known = {unit: service for service in services for unit in service.units}
    found: dict[str, Service] = {}
    for name in names:
        if name in known:
            found[known[name].id] = known[name]
        elif not missing:
            hint = did_you_mean(name, known) or "submit it first: coreops units submit FILE"
            raise InputError(f"no unit {name} was submitted", next=hint)
    for service in found.values():
        rest = [unit for unit in service.units if unit not in names]
        if rest:
            raise InputError(
                f"the service {service.spec['Name']} is also {', '.join(rest)}",
                why="on Swarm they are replicas of one service, of which none can be named",
                next="name all of them",
            )
        yield service


def _rows(service: Service, tasks: Sequence[Mapping[str, Any]], hosts: Mapping[str, str]) -> Iterator[tuple[Row, str]]:
    """Each unit, and why it is nowhere. Replicas stand for the units in their order."""
    desired = "launched" if service.everywhere or service.replicas else "inactive"
    name = str(service.spec["Name"])
    if service.everywhere:
        unit = service.units[0]
        there = [_row(unit, name, desired, raw, hosts) for raw in tasks if raw.get("DesiredState") == "running"]
        for row in there or [Row(unit, name, desired, "", "placed nowhere", done=False)]:
            yield row, ""
        return
    for slot, unit in enumerate(service.units, 1):
        own = [each for each in tasks if int(each.get("Slot", 0)) == slot]
        wanted = [each for each in own if each.get("DesiredState") in ("running", "ready")]
        living = [each for each in own if _runs(next(iter(state.read_tasks([each]))))]
        newest = max(wanted or living, key=lambda each: str(each.get("CreatedAt", "")), default=None)
        if newest is None:
            service_ = read(unit).template or name
            nowhere = "inactive" if desired == "inactive" else "placed nowhere"
            yield Row(unit, service_, desired, "", nowhere, desired == "inactive"), ""
            continue
        row = _row(unit, name, desired, newest, hosts)
        said = newest.get("Status", {})
        if not row.done and not said.get("Err") and (before := _failure(own)):
            row = replace(row, state=f"{row.state}, after it failed: {before}")
        yield row, "" if row.host else str(said.get("Err") or said.get("Message") or "")


def _row(unit: str, service: str, desired: str, raw: Mapping[str, Any], hosts: Mapping[str, str]) -> Row:
    now = str(raw.get("Status", {}).get("State", ""))
    why = str(raw.get("Status", {}).get("Err", ""))
    host = hosts.get(str(raw.get("NodeID", "")), "")
    done = now == "running" if desired == "launched" else False
    return Row(unit, service, desired, host, f"{now}: {why}" if why else now, done, now in ("failed", "rejected"))


def _failure(tasks: Sequence[Mapping[str, Any]]) -> str:
    """Why the last one of these that failed did."""
    failed = [each for each in tasks if each.get("Status", {}).get("Err")]
    newest = max(failed, key=lambda each: str(each.get("CreatedAt", "")), default={})
    return str(newest.get("Status", {}).get("Err", ""))


def _runs(task: state.Task) -> bool:
    return task.alive and task.state not in ("new", "pending")
