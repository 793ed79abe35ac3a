"""fleet's JSON as data: machines, units, states. Pure.

A unit's options keep their order and may repeat. Whatever fleet leaves out when it is empty is "" here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Desired = Literal["inactive", "loaded", "launched"]
DESIRED: tuple[Desired, ...] = ("inactive", "loaded", "launched")


@dataclass(frozen=True, slots=True)
class Option:
    """One line of a unit file."""

    section: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine whose fleetd is alive."""

    id: str
    address: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unit:
    """A submitted unit. machine: the id of the machine that the engine has chosen, "" for none (and for globals)."""

    name: str
    options: tuple[Option, ...] = ()
    desired: Desired = "inactive"
    current: str = ""
    machine: str = ""

    def values(self, section: str, name: str) -> tuple[str, ...]:
        return tuple(each.value for each in self.options if each.section == section and each.name == name)


@dataclass(frozen=True, slots=True)
class State:
    """What one machine's systemd says of one unit."""

    unit: str
    machine: str
    load: str = ""
    active: str = ""
    sub: str = ""


def machine(raw: Mapping[str, Any]) -> Machine:
    return Machine(str(raw.get("id", "")), str(raw.get("primaryIP", "")), dict(raw.get("metadata") or {}))


def unit(raw: Mapping[str, Any]) -> Unit:
    """Raises ValueError for a desired state that fleet does not have."""
    desired = str(raw.get("desiredState") or "inactive")
    if desired not in DESIRED:
        raise ValueError(f"unknown desired state {desired!r}")
    options = tuple(
        Option(str(each.get("section", "")), str(each.get("name", "")), str(each.get("value", "")))
        for each in raw.get("options") or ()
    )
    return Unit(
        name=str(raw.get("name", "")),
        options=options,
        desired=desired,
        current=str(raw.get("currentState", "")),
        machine=str(raw.get("machineID", "")),
    )


def state(raw: Mapping[str, Any]) -> State:
    return State(
        unit=str(raw.get("name", "")),
        machine=str(raw.get("machineID", "")),
        load=str(raw.get("systemdLoadState", "")),
        active=str(raw.get("systemdActiveState", "")),
        sub=str(raw.get("systemdSubState", "")),
    )


def unit_body(name: str, options: Sequence[Option], desired: Desired | None) -> bytes:
    """What a PUT of a unit carries; without options only the desired state."""
    body: dict[str, Any] = {"name": name}
    if options:
        body["options"] = [{"section": each.section, "name": each.name, "value": each.value} for each in options]
    if desired is not None:
        body["desiredState"] = desired
    return json.dumps(body).encode()


def patch_body(machine_id: str, changes: Mapping[str, str | None]) -> bytes:
    """What a PATCH of machines carries. None removes a key. The value is wrapped, other than fleet's own page says."""
    made: list[dict[str, Any]] = []
    for key, value in changes.items():
        path = f"/{machine_id}/metadata/{key}"
        made.append({"op": "remove", "path": path} if value is None else _add(path, value))
    return json.dumps(made).encode()


def _add(path: str, value: str) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": {"value": value}}
