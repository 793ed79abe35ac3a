"""How the units of a cluster stand in the store, below ``/coreops/units/``. Pure: keys and values, both ways.

::

    plan               changed with every write of a controller; each write is for the plan that was seen
    unit/NAME          what an operator submitted: the unit file and its desired state
    on/HOST/NAME       what the host is to have; at most one host for a unit, unless it is global
    held/NAME          the host that has it; a node takes it before it starts the unit, gives it back after the stop
    said/HOST          what the node says of itself and its units, under a lease: gone when the node is
    machine/HOST       its machine-id, which stays
    closed/HOST        who closed the host to new units, who drained it, and the highest token seen
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coreops.schedulers.protocol import By

ROOT = "/coreops/units/"
PLAN = ROOT + "plan"
Desired = Literal["inactive", "loaded", "launched"]
Who = By | Literal["", "other"]
DESIRED: tuple[Desired, ...] = ("inactive", "loaded", "launched")


@dataclass(frozen=True, slots=True)
class Unit:
    """One submitted unit: its name, its file, and what it shall be."""

    name: str
    file: str
    desired: Desired

    def value(self) -> str:
        return json.dumps({"v": 1, "desired": self.desired, "file": self.file}, ensure_ascii=False)

    def given(self, *, everywhere: bool) -> str:
        """What a node is given, below ``on/``."""
        return f"{self.desired}{' everywhere' if everywhere else ''}\n{self.file}"

    def is_done(self, sum: str) -> bool:
        """Is this what a node says it has done?"""
        return len(sum) == 12 and any(
            hashlib.sha256(self.given(everywhere=each).encode()).hexdigest().startswith(sum) for each in (True, False)
        )


@dataclass(frozen=True, slots=True)
class Closed:
    """cordon, drain: by whom, "" for not at all. What somebody else wrote under the key is a cordon by "other"."""

    cordon: Who = ""
    drain: Who = ""
    token: int = 0

    def value(self) -> str:
        return json.dumps({"v": 1, "cordon": self.cordon, "drain": self.drain, "token": self.token})


@dataclass(frozen=True, slots=True)
class Said:
    """What a node says. units: name -> (active state, sub state, what is done of it), or "waiting" and for what."""

    boot: str = ""
    units: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """Everything below ``ROOT``. plan: the revision that a write has to be for."""

    plan: int = 0
    units: dict[str, Unit] = field(default_factory=dict)
    on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    machines: dict[str, str] = field(default_factory=dict)
    closed: dict[str, Closed] = field(default_factory=dict)

    def here(self, host: str) -> tuple[str, ...]:
        """What a host has, or may have: what it holds, and what it says that it runs."""
        held = [name for name, holder in self.held.items() if holder == host]
        said = self.said.get(host, Said())
        return tuple(
            dict.fromkeys((*held, *(name for name, (active, *_) in said.units.items() if active not in _APART)))
        )


_APART = ("waiting", "refused")


@dataclass(frozen=True, slots=True)
class Pair:
    """One key of the store. value: None when it was not asked for."""

    key: str
    value: str | None
    revision: int


def read(pairs: Iterable[Pair]) -> State:
    """Sort what was found. What is not ours, or of another format, is passed over."""
    state = State()
    for pair in pairs:
        kind, _, name = pair.key.removeprefix(ROOT).partition("/")
        value = pair.value or ""
        match kind:
            case "plan" if not name:
                state.plan = pair.revision
            case "unit":
                found = _json(value)
                if found.get("desired") in DESIRED and isinstance(found.get("file"), str):
                    state.units[name] = Unit(name, found["file"], found["desired"])
            case "on":
                host, _, unit = name.partition("/")
                state.on[unit] = (*state.on.get(unit, ()), host)
            case "held":
                state.held[name] = value
            case "said":
                state.said[name] = _said(value)
            case "machine":
                state.machines[name] = value
            case "closed":
                state.closed[name] = _closed(_json(value))
    return state


_BY: Mapping[object, Who] = {"": "", "operator": "operator", "upgrade": "upgrade"}


def _closed(found: Mapping[str, Any]) -> Closed:
    token = found.get("token", 0)
    cordon: Who = _BY.get(found.get("cordon"), "other")
    return Closed(cordon, _BY.get(found.get("drain"), ""), token if isinstance(token, int) else 0)


def _said(text: str) -> Said:
    boot = ""
    units: dict[str, tuple[str, str, str]] = {}
    for line in text.splitlines():
        match line.split():
            case ["boot", id]:
                boot = id
            case ["unit", name, active, sub, done]:
                units[name] = active, sub, done
    return Said(boot, units)


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("v") == 1 else {}
