"""``coreops units`` on Docker Swarm: units become services (``coreops.units.convert``), by the Engine API. Pure.

A service that this made has the label ``coreops.unit``, with the names of the units it is; others are left alone. A
unit that is submitted or stopped is a service of no replicas. Nothing is written before all of it was found to be
allowed, and to have a place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coreops.errors import HostFailed, InputError, RefusedError, did_you_mean
from coreops.schedulers.protocol import Pause, Talk
from coreops.schedulers.swarm import engine, state, talks, versions
from coreops.units import glob
from coreops.units.backends import swarm_room
from coreops.units.backends.swarm_rows import Service, replicas, rows, runs
from coreops.units.convert.swarm import LABEL
from coreops.units.loading import Loaded
from coreops.units.names import natural
from coreops.units.placement import refusal
from coreops.units.rows import Row, Status

HASH = "coreops.unit.hash"
_OURS = engine.path("/services", label=[LABEL])


@dataclass(frozen=True, slots=True)
class Change:
    """What a service is to be. service: what it is, None for none. units: those that are to have a place."""

    service: Service | None
    body: Mapping[str, Any]
    units: Sequence[str] = ()

    @property
    def title(self) -> str:
        return f"write the service {self.body['Name']}"


class Swarm:
    """documents: what the units that are to be submitted were converted to. lossy: some of their wishes may be lost."""

    def __init__(self, documents: Sequence[Mapping[str, Any]] = (), *, lossy: bool = False) -> None:
        self._documents = [_stamped(document) for document in documents]
        self._lossy = lossy

    def submit(self, units: Sequence[Loaded]) -> Talk[None]:
        yield from self._apply(lambda services: self._put(services, units, start=False))

    def start(self, units: Sequence[Loaded], names: Collection[str]) -> Talk[None]:
        yield from self._apply(
            lambda services: [*_scaled(services, names, start=True), *self._put(services, units, start=True)]
        )

    def stop(self, names: Collection[str]) -> Talk[None]:
        yield from self._apply(lambda services: _scaled(services, names, start=False))

    def destroy(self, names: Collection[str]) -> Talk[None]:
        services = [each for each in (yield from self._services()) if each.ours]
        gone = list(_whole(services, names, missing=True))
        for service in gone:
            answer = yield from engine.send("remove a service", "DELETE", f"/services/{service.id}")
            if not answer.good and answer.status != 404:
                raise HostFailed("could not remove a service", why=answer.message)
        ids = {service.id for service in gone}
        nodes = (yield from talks.entries()) if ids else ()
        while ids:
            tasks = yield from talks.tasks(nodes)
            left = tuple(f"task {task.id[:12]} ({task.state})" for task in tasks if task.service in ids and runs(task))
            if not left:
                return
            yield Pause(left)

    def status(self) -> Talk[Status]:
        services = [each for each in (yield from self._services()) if each.ours]
        tasks, nodes = yield from engine.get("ask for tasks", "/tasks", "/nodes")
        entries = (yield from talks.entries()) if nodes.cut else state.read_nodes(nodes.data or [])
        hosts = {entry.id: entry.name for entry in entries}
        found: list[Row] = []
        unplaced: dict[str, str] = {}
        for service in sorted(services, key=lambda each: natural(each.units[0])):
            own = tasks
            if tasks.cut:  # all that there are do not fit into one answer
                (own,) = yield from engine.get("ask for tasks", engine.path("/tasks", service=[service.id]))
            if own.cut:
                raise HostFailed("a service has more tasks than one answer can hold", why=str(service.spec["Name"]))
            mine = [raw for raw in own.data or [] if raw.get("ServiceID") == service.id]
            for row, why in rows(service, mine, hosts):
                found.append(row)
                if why:
                    unplaced[row.name] = f"{row.name}: {why}"
        return Status(tuple(found), unplaced)

    def _services(self) -> Talk[tuple[Service, ...]]:
        """All that are ours, and those called as the documents are, whosever they are."""
        names = [str(each["Name"]) for each in self._documents]
        paths = [_OURS, *([engine.path("/services", name=names)] if names else [])]
        answers = yield from engine.get("ask for services", *paths)
        if any(answer.cut for answer in answers):
            raise HostFailed("the swarm has more services of units than one answer can hold")
        ours = list(_read(answers[0].data))
        named = [each for answer in answers[1:] for each in _read(answer.data) if each.spec["Name"] in names]
        return tuple({each.id: each for each in (*ours, *named)}.values())

    def _apply(self, edit: Callable[[Sequence[Service]], Iterable[Change]]) -> Talk[None]:
        while True:
            changes = list(edit((yield from self._services())))
            yield from self._need_room([change for change in changes if change.units])
            late = []
            for change in changes:
                if not (yield from _write(change)):
                    late.append(str(change.body["Name"]))
            if not late:
                return
            yield Pause(tuple(f"the service {name} to be written (somebody else writes too)" for name in late))

    def _need_room(self, changes: Sequence[Change]) -> Talk[None]:
        """Raises RefusedError when one of the units could be placed nowhere."""
        if not changes:
            return
        nodes = yield from talks.entries()
        for change in changes if not self._lossy else ():
            for word, since, node, version in versions.unknown(
                change.body, [(each.name, each.engine) for each in nodes]
            ):
                raise RefusedError(
                    f"Docker {version} on {node} does not know {word} of services",
                    why=f"{since} was the first that does; others leave it out, and say nothing",
                    next="upgrade it, change the units, or accept it with --allow-loss",
                )
        others: Sequence[state.Task] = ()
        names: Mapping[str, str] = {}
        if any(swarm_room.has_ports(change.body) for change in changes):
            ids = {change.service.id for change in changes if change.service}
            others = [task for task in (yield from talks.tasks(nodes)) if task.service not in ids]
            names = yield from talks.services()
        if bad := swarm_room.unplaced([(change.units, change.body) for change in changes], nodes, others, names):
            raise refusal(bad)

    def _put(self, services: Sequence[Service], units: Sequence[Loaded], *, start: bool) -> Iterator[Change]:
        """What the documents make of the services that there are."""
        self._check([service for service in services if service.ours], units)
        known = {str(service.spec["Name"]): service for service in services}
        for document in self._documents:
            service = known.get(str(document["Name"]))
            if service is not None and not service.ours:
                raise RefusedError(
                    f"there is a service {document['Name']} that is somebody else's",
                    why=f"it has no label {LABEL}",
                    next="rename the unit, or remove the service",
                )
            running = start or (service is not None and (service.everywhere or service.replicas > 0))
            body = document if running else _quiet(document)
            if service is None or not _same(service, body):
                yield Change(service, body, Service("", 0, document).units)

    def _check(self, services: Sequence[Service], units: Sequence[Loaded]) -> None:
        """Nothing that runs may be lost, nor come to stand beside what it keeps away from."""
        new = {str(each["Name"]): Service("", 0, each).units for each in self._documents}
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


def _write(change: Change) -> Talk[bool]:
    """False: look again."""
    known = change.service
    where = f"/services/{known.id}/update?version={known.version}" if known else "/services/create"
    answer = yield from engine.send(change.title, "POST", where, change.body)
    if answer.good:
        return True
    if engine.transient(answer) or answer.status == 409:
        return False
    raise HostFailed(f"could not {change.title}", why=answer.message)


def _scaled(services: Sequence[Service], names: Collection[str], *, start: bool) -> Iterator[Change]:
    """Services that are there already, started or stopped."""
    for service in _whole([each for each in services if each.ours], names, missing=False):
        if service.everywhere and start:
            continue
        if service.everywhere:
            raise RefusedError(
                f"{service.units[0]} is global",
                why="Swarm has no stopped service that runs everywhere",
                next="destroy it, and start it from its file again",
            )
        count = len(service.units) if start else 0
        if service.replicas != count:
            body = {**service.spec, "Mode": {"Replicated": {"Replicas": count}}}
            yield Change(service, body, service.units if start else ())


def _same(service: Service, body: Mapping[str, Any]) -> bool:
    alike = service.spec["Labels"].get(HASH) == body["Labels"][HASH]
    return alike and (service.everywhere or service.replicas == replicas(body))


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


def _read(raw: Any) -> Iterator[Service]:
    for each in raw or ():
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
