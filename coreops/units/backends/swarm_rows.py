"""A service that units became, and what a swarm says of its tasks, as rows. Reads JSON values; asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from coreops.schedulers.swarm import state
from coreops.units.convert.swarm import LABEL
from coreops.units.names import read
from coreops.units.rows import Row


@dataclass(frozen=True, slots=True)
class Service:
    """A service that units became."""

    id: str
    version: int
    spec: Mapping[str, Any]

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(str(self.spec.get("Labels", {}).get(LABEL, "")).split(","))

    @property
    def ours(self) -> bool:
        return LABEL in self.spec.get("Labels", {})

    @property
    def everywhere(self) -> bool:
        return "Global" in self.spec["Mode"]

    @property
    def replicas(self) -> int:
        return replicas(self.spec)


def replicas(spec: Mapping[str, Any]) -> int:
    """How many, of a service that does not run everywhere."""
    return int(spec["Mode"].get("Replicated", {}).get("Replicas", 0))


def rows(service: Service, tasks: Sequence[Mapping[str, Any]], hosts: Mapping[str, str]) -> Iterator[tuple[Row, str]]:
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
        living = [each for each in own if runs(next(iter(state.read_tasks([each]))))]
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


def runs(task: state.Task) -> bool:
    return task.alive and task.state not in ("new", "pending")
