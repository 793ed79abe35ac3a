"""What Nomad says of jobs, allocations and evaluations, as rows. Reads JSON values; asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coreops.schedulers.nomad.found import TERMINAL
from coreops.units import names
from coreops.units.rows import Row

MARK = "coreops.unit"
_BAD = ("Driver Failure", "Terminated", "Setup Failure", "Failed Validation", "Failed Artifact Download", "Killing")


@dataclass(frozen=True, slots=True)
class Job:
    """A job as Nomad keeps it."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.raw["ID"])

    @property
    def mark(self) -> str:
        """Whose it is: a unit's or template's name, "" for somebody else's."""
        return str((self.raw.get("Meta") or {}).get(MARK, ""))

    @property
    def kind(self) -> str:
        return str(self.raw["Type"])

    @property
    def everywhere(self) -> bool:
        return self.kind == "system"

    @property
    def runs(self) -> bool:
        """Nobody has stopped it as a whole."""
        return not self.raw.get("Stop")

    @property
    def index(self) -> int:
        return int(self.raw["JobModifyIndex"])

    @property
    def groups(self) -> dict[str, Mapping[str, Any]]:
        return {str(each["Name"]): each for each in self.raw["TaskGroups"] or ()}


def rows(job: Job, allocations: Sequence[Any], evaluations: Sequence[Any]) -> Iterator[tuple[Row, str]]:
    """Each unit of a job, and why it is nowhere."""
    thinking = any(each.get("Status") == "pending" for each in evaluations)
    for unit, group in job.groups.items():
        launched = job.runs and (job.everywhere or bool(group.get("Count")))
        desired = "launched" if launched else "inactive"
        own = [each for each in allocations if each["TaskGroup"] == unit]
        service = names.read(unit).template or unit
        living = [each for each in own if each["ClientStatus"] not in TERMINAL]
        if not launched:
            for each in living:
                yield Row(unit, service, desired, str(each.get("NodeName", "")), "stopping", done=False), ""
            if not living:
                yield Row(unit, service, desired, "", "inactive"), ""
            continue
        meant = [each for each in own if each["DesiredStatus"] == "run"]
        if job.everywhere:
            newest: dict[str, Any] = {}
            for each in sorted(meant, key=_age):
                newest[each["NodeID"]] = each
            chosen = list(newest.values())
        else:
            chosen = sorted(meant, key=lambda each: (each["ClientStatus"] not in TERMINAL, _age(each)))[-1:]
        for each in chosen:
            yield _row(unit, service, desired, each, job, thinking), ""
        if not chosen:
            why = "" if thinking else _unplaced(unit, evaluations)
            yield Row(unit, service, desired, "", "placed nowhere", done=False), why or "Nomad has put it nowhere yet"


def closest(metric: Mapping[str, Any]) -> str:
    """Which nodes there were, and what kept them out (structs.AllocMetric)."""
    said = [f"{metric.get('NodesEvaluated') or 0} nodes were looked at"]
    for what, number in sorted((metric.get("ConstraintFiltered") or {}).items(), key=lambda each: (each[1], each[0])):
        said.append(f"{what} keeps out {number}")
    for what, number in sorted((metric.get("DimensionExhausted") or {}).items()):
        said.append(f"{what} runs out on {number}")
    if not metric.get("NodesEvaluated"):
        counts = metric.get("NodesAvailable") or {}
        said.append(", ".join(f"{number} in {name}" for name, number in sorted(counts.items())) or "none takes work")
    return "; ".join(said)


def _row(unit: str, service: str, desired: str, each: Mapping[str, Any], job: Job, thinking: bool) -> Row:
    now = str(each["ClientStatus"])
    current = int(each.get("JobVersion") or 0) >= int(job.raw.get("Version") or 0)
    why = _failure(each.get("TaskStates") or {})
    failed = now in TERMINAL and not each.get("FollowupEvalID") and not thinking
    state = f"{now}: {why}" if why and now in TERMINAL else f"{now}, after it failed: {why}" if why else now
    done = failed or (now == "running" and current and not (job.everywhere and thinking))
    return Row(unit, service, desired, str(each.get("NodeName", "")), state, done, failed)


def _failure(tasks: Mapping[str, Any]) -> str:
    """What the task's own events say of the last time it went wrong."""
    for task in tasks.values():
        if task.get("Failed") or task.get("Restarts"):
            said = [each for each in task.get("Events") or () if each.get("Type") in _BAD]
            if said:
                return str(said[-1].get("DisplayMessage") or said[-1]["Type"])
    return ""


def _unplaced(unit: str, evaluations: Sequence[Any]) -> str:
    for each in sorted(evaluations, key=lambda each: int(each.get("ModifyIndex") or 0), reverse=True):
        metric = (each.get("FailedTGAllocs") or {}).get(unit)
        if metric:
            return closest(metric)
    return ""


def _age(each: Mapping[str, Any]) -> int:
    return int(each.get("CreateIndex") or 0)
