"""``coreops units`` on Nomad: units become groups of jobs (``coreops.units.convert``), by its HTTP API. Pure.

The instances of a template are one job, with a group of the unit's name for each, so that each is started, stopped and
changed alone; a unit that is stopped is a group with no allocation. A job that this made has ``coreops.unit`` in its
meta; others are left alone. Writes are checked by Nomad against the job's index, so nobody's change is lost.

Endpoints as in Nomad's API documentation (api-docs/jobs.mdx) and nomad/job_endpoint.go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from coreops.errors import InputError, RefusedError, did_you_mean
from coreops.schedulers.nomad.adapter import Nomad as Adapter
from coreops.schedulers.nomad.api import good
from coreops.schedulers.nomad.found import TERMINAL
from coreops.schedulers.protocol import Pause, Talk
from coreops.units import names as unit_names
from coreops.units.backends import nomad_rows
from coreops.units.backends.nomad_rows import MARK, Job
from coreops.units.loading import Loaded
from coreops.units.rows import Row, Status

HASH = "coreops.unit.hash"
_APART = {"Operand": "distinct_hosts", "RTarget": "true"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One unit: its job's id, mark and type, and its group there."""

    unit: str
    job: str
    mark: str
    kind: str
    group: Mapping[str, Any]

    @property
    def everywhere(self) -> bool:
        return self.kind == "system"


@dataclass(frozen=True, slots=True)
class Change:
    """A job to write; document None: to be removed. running: the groups that have to find a place."""

    id: str
    index: int
    document: Mapping[str, Any] | None
    running: Collection[str] = ()


class Nomad:
    """documents: what the units that are to be submitted were converted to, one for each."""

    def __init__(self, scheduler: Adapter, documents: Sequence[Mapping[str, Any]] = ()) -> None:
        self._api = scheduler.api
        self._place = scheduler.placing
        self._wanted = [_wanted(document["Job"]) for document in documents]

    def submit(self, units: Sequence[Loaded]) -> Talk[None]:
        yield from self._apply(lambda jobs: self._put(jobs, start=False))

    def start(self, units: Sequence[Loaded], names: Collection[str]) -> Talk[None]:
        def edit(jobs: Sequence[Job]) -> Iterator[Change]:
            yield from self._put(jobs, start=True)
            yield from self._scale(jobs, [name for name in names if name not in own], 1)

        own = {each.unit for each in self._wanted}
        yield from self._apply(edit)

    def stop(self, names: Collection[str]) -> Talk[None]:
        yield from self._apply(lambda jobs: self._scale(jobs, names, 0))

    def destroy(self, names: Collection[str]) -> Talk[None]:
        wanted, read = names, unit_names.read
        yield from self._apply(lambda jobs: self._without(jobs, wanted))
        while True:
            left = []
            for job in sorted({id for name in wanted for id in (read(name).prefix, read(name).short)}):
                found = yield from self._api.get(f"{_path(job)}/allocations?all=true", absent=True)
                left += [
                    f"{each['TaskGroup']} on {each.get('NodeName', '')} ({each['ClientStatus']})"
                    for each in found or ()
                    if each["TaskGroup"] in wanted and each["ClientStatus"] not in TERMINAL
                ]
            if not left:
                return
            yield Pause(tuple(left))

    def status(self) -> Talk[Status]:
        jobs = yield from self._jobs()
        paths = [f"{_path(job.id)}/{what}" for job in jobs for what in ("allocations", "evaluations")]
        answers = [good(reply, "read the jobs") for reply in (yield from self._several(paths))]
        rows: list[Row] = []
        unplaced: dict[str, str] = {}
        for number, job in enumerate(jobs):
            for row, why in nomad_rows.rows(job, answers[2 * number], answers[2 * number + 1]):
                rows.append(row)
                if why:
                    unplaced[row.name] = f"{row.name}: {why}"
        rows.sort(key=lambda row: unit_names.natural(row.name))
        return Status(tuple(rows), unplaced)

    def _jobs(self, also: Collection[str] = ()) -> Talk[list[Job]]:
        """All jobs that are ours, and those called as in ``also``, whosever they are."""
        stubs = yield from self._api.pages("/v1/jobs?meta=true")
        told = any("Meta" in stub for stub in stubs)  # Nomad before 1.5 does not know meta=
        chosen = [stub["ID"] for stub in stubs if not told or MARK in (stub.get("Meta") or {}) or stub["ID"] in also]
        found = yield from self._several([_path(id) for id in chosen])
        jobs = [Job(each.value) for each in found if each.good]
        return [job for job in jobs if job.mark or job.id in also]

    def _several(self, paths: Sequence[str]) -> Talk[list[Any]]:
        found: list[Any] = []
        for first in range(0, len(paths), 50):
            found += yield from self._api.several(*paths[first : first + 50])
        return found

    def _apply(self, edit: Callable[[Sequence[Job]], Iterable[Change]]) -> Talk[None]:
        """Nothing is written before all of it was found to have a place."""
        while True:
            changes = list(edit((yield from self._jobs({each.job for each in self._wanted}))))
            for change in changes:
                if change.document is not None and change.running:
                    yield from self._check(change)
            again = False
            for change in changes:
                again = not (yield from self._write(change)) or again
            if not again:
                return
            yield Pause(("jobs to be written (somebody else writes too)",))

    def _check(self, change: Change) -> Talk[None]:
        """Ask Nomad to plan it with these groups running."""
        assert change.document is not None
        groups = [
            {**each, "Count": 1} if each["Name"] in change.running and "Count" in each else each
            for each in change.document["TaskGroups"]
        ]
        body = {"Job": {**change.document, "TaskGroups": groups}, "Diff": False}
        planned = yield from self._api.put(f"{_path(change.id)}/plan", body, f"plan the job {change.id}")
        for unit, metric in sorted((planned.get("FailedTGAllocs") or {}).items()):
            if unit in change.running:
                raise RefusedError(
                    f"{unit} can be placed nowhere",
                    why=nomad_rows.closest(metric),
                    next="change what it asks for, or let nodes have it; nothing was changed",
                )

    def _write(self, change: Change) -> Talk[bool]:
        """False: look again."""
        if change.document is None:
            where = f"{_path(change.id)}?purge=true"
            yield from self._api.put(where, None, f"remove the job {change.id}", method="DELETE", absent=True)
            return True
        body = {"Job": change.document, "EnforceIndex": True, "JobModifyIndex": change.index}
        reply = yield from self._api.request("PUT", "/v1/jobs", body)
        if not reply.good and "Enforcing job modify index" in str(reply.value):
            return False
        good(reply, f"write the job {change.id}")
        return True

    def _put(self, jobs: Sequence[Job], *, start: bool) -> Iterator[Change]:
        """The units of this run, each in its job beside the groups that are there."""
        known = {job.id: job for job in jobs}
        for id in dict.fromkeys(each.job for each in self._wanted):
            units = [each for each in self._wanted if each.job == id]
            if len({each.mark for each in units}) > 1:
                what = f"{units[0].unit} and {units[-1].unit} would both be the job {id}"
                raise InputError(what, next="rename one of them, or destroy it first")
            job = known.get(id)
            _own(job, units[0])
            groups = job.groups if job else {}
            for each in units:
                count = _running(job, each.unit)
                if each.everywhere and not (start or count):
                    raise RefusedError(
                        f"{each.unit} is global",
                        why="Nomad has no job that is everywhere and does not run",
                        next="start it at once: coreops units start FILE",
                    )
                groups[each.unit] = _merged(groups.get(each.unit), each, 1 if start else count)
            document = self._document(id, units[0].mark, units[0].kind, groups)
            if job is None or _changed(job, document):
                yield Change(id, job.index if job else 0, document, {each.unit for each in units})

    def _scale(self, jobs: Sequence[Job], wanted: Collection[str], count: int) -> Iterator[Change]:
        for job, units in _chosen(jobs, wanted, missing=False):
            if job.everywhere:
                if count == job.runs:
                    continue
                raise RefusedError(
                    f"{units[0]} is global",
                    why="Nomad has no job that is everywhere and does not run",
                    next="destroy it, and start it from its file again",
                )
            groups = {
                name: {**group, "Count": count if name in units else _running(job, name)}
                for name, group in job.groups.items()
            }
            document = self._document(job.id, job.mark, job.kind, groups)
            if _changed(job, document):
                yield Change(job.id, job.index, document, units if count else ())

    def _without(self, jobs: Sequence[Job], wanted: Collection[str]) -> Iterator[Change]:
        for job, units in _chosen(jobs, wanted, missing=True):
            groups = {name: group for name, group in job.groups.items() if name not in units}
            document = self._document(job.id, job.mark, job.kind, groups) if groups else None
            yield Change(job.id, job.index, document)

    def _document(self, id: str, mark: str, kind: str, groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        apart = any(_distinct(each) for group in groups.values() for each in group.get("Constraints") or ())
        return {
            "ID": id,
            "Name": id,
            "Type": kind,
            **self._place,
            "Meta": {MARK: mark},
            "Constraints": [_APART] if apart and kind != "system" else [],
            "TaskGroups": [groups[name] for name in sorted(groups, key=unit_names.natural)],
        }


def _wanted(job: Mapping[str, Any]) -> Wanted:
    """From what one unit was converted to."""
    unit = str(job["Meta"][MARK])
    kind = str(job["Type"])
    (group,) = job["TaskGroups"]
    made = {**group, "Name": unit, "Constraints": [*job.get("Constraints", ()), *group.get("Constraints", ())]}
    text = json.dumps(made, sort_keys=True)
    made["Meta"] = {HASH: hashlib.sha256(text.encode()).hexdigest()[:16]}
    name = unit_names.read(unit)
    alone = kind == "system" or not name.at
    return Wanted(unit, name.short if alone else name.prefix, unit if alone else name.template, kind, made)


def _own(job: Job | None, unit: Wanted) -> None:
    """Raises RefusedError for a job that is no work of ours, or another unit's."""
    if job is None:
        return
    if job.mark == unit.mark and job.kind != unit.kind:
        raise RefusedError(
            f"{unit.unit} is a {job.kind} job by now, and would be a {unit.kind} job",
            why="Nomad does not change that",
            next=f"destroy it first: coreops units destroy {unit.unit}",
        )
    if job.mark != unit.mark:
        raise RefusedError(
            f"there is a job {job.id} that is {'the unit ' + job.mark if job.mark else 'somebody else'}'s",
            why=f"its meta has {MARK}={job.mark}" if job.mark else f"it has no {MARK} in its meta",
            next="rename the unit, or remove the job",
        )


def _running(job: Job | None, unit: str) -> int:
    """How many of this group run by now: in a job that somebody stopped, none."""
    if job is None or not job.runs or unit not in job.groups:
        return 0
    return 1 if job.everywhere else int(job.groups[unit].get("Count") or 0)


def _merged(old: Mapping[str, Any] | None, new: Wanted, count: int) -> Mapping[str, Any]:
    """The group as Nomad keeps it, when it was made of the same unit."""
    same = old is not None and (old.get("Meta") or {}).get(HASH) == new.group["Meta"][HASH]
    group = old if same and old is not None else new.group
    return group if new.everywhere else {**group, "Count": count}


def _changed(job: Job, document: Mapping[str, Any]) -> bool:
    def seen(groups: Iterable[Mapping[str, Any]]) -> list[Any]:
        return [(each["Name"], each.get("Count", 1), (each.get("Meta") or {}).get(HASH)) for each in groups]

    place = [key for key in ("Datacenters", "NodePool") if key in document]
    return (
        not job.runs
        or any(job.raw.get(key) != document[key] for key in place)
        or any(map(_distinct, job.raw.get("Constraints") or ())) != bool(document["Constraints"])
        or sorted(seen(job.groups.values())) != sorted(seen(document["TaskGroups"]))
    )


def _distinct(constraint: Mapping[str, Any]) -> bool:
    return constraint.get("Operand") == _APART["Operand"]


def _chosen(jobs: Sequence[Job], wanted: Collection[str], *, missing: bool) -> Iterator[tuple[Job, list[str]]]:
    """The jobs of these units, and which of their groups those are. missing: a unit may be gone already."""
    known = {unit: job for job in jobs if job.mark for unit in job.groups}
    for name in wanted:
        if name not in known and not missing:
            hint = did_you_mean(name, known) or "submit it first: coreops units submit FILE"
            raise InputError(f"no unit {name} was submitted", next=hint)
    for job in jobs:
        if units := [name for name in wanted if known.get(name) is job]:
            yield job, units


def _path(job: str) -> str:
    return f"/v1/job/{quote(job, safe='')}"
