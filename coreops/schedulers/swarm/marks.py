"""What coreops writes at a node of a swarm to remember who cordoned and drained it, and from what. Pure.

A node's spec has an availability (active, pause, drain) and labels; both travel in one update. ``coreops.cordon`` and
``coreops.drain`` are ``BY:PREVIOUS-AVAILABILITY``; ``coreops.token`` is the highest fencing token seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coreops.schedulers.protocol import Fenced, Mark

CORDON = "coreops.cordon"
DRAIN = "coreops.drain"
TOKEN = "coreops.token"
AVAILABILITIES = ("active", "pause", "drain")

By = Literal["upgrade", "operator", "restart"]
"""``restart``: bootstrap, while it restarts the engine."""


@dataclass(frozen=True, slots=True)
class Spec:
    """The part of a node's spec that is ours to read and write. rest: all else of it, kept as it is."""

    availability: str = "active"
    role: str = "worker"
    labels: Mapping[str, str] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Spec:
        rest = {key: value for key, value in raw.items() if key not in ("Availability", "Role", "Labels")}
        return cls(raw.get("Availability", "active"), raw.get("Role", "worker"), dict(raw.get("Labels") or {}), rest)

    def raw(self) -> dict[str, Any]:
        own = {"Availability": self.availability, "Role": self.role, "Labels": dict(self.labels)}
        return {**self.rest, **own}

    def memory(self, label: str) -> tuple[str, str] | None:
        """Who wrote the label, and the availability before. None without one, or with one that makes no sense."""
        by, _, before = self.labels.get(label, "").partition(":")
        return (by, before) if by in ("upgrade", "operator", "restart") and before in AVAILABILITIES else None

    def to(self, availability: str, **labels: str | None) -> Spec:
        """Another availability, and labels set or (None) removed; ``_`` stands for ``.`` in their names."""
        found = dict(self.labels)
        for key, value in labels.items():
            name = key.replace("_", ".")
            if value is None:
                found.pop(name, None)
            else:
                found[name] = value
        return Spec(availability, self.role, found, self.rest)


def cordoned(spec: Spec) -> Literal["", "upgrade", "operator", "other"]:
    """Who keeps new work away."""
    if spec.availability == "active":
        return ""
    match spec.memory(CORDON):
        case ("upgrade", _):
            return "upgrade"
        case ("operator", _):
            return "operator"
    return "other"


def check(spec: Spec, token: int) -> None:
    """Raises Fenced when a newer controller has been here. An operator (token 0) is not fenced."""
    seen = _token(spec)
    if token and seen > token:
        raise Fenced(
            "a newer upgrade has taken over this node",
            why=f"it came with the token {seen}, this one has {token}",
            next="look at coreops status; the newer one goes on",
        )


def cordon(spec: Spec, mark: Mark) -> Spec:
    """No new tasks. Somebody else's cordon stays as it is for an upgrade; an operator takes it over."""
    spec = _stamped(spec, mark.token)
    if spec.availability == "active":
        return spec.to("pause", coreops_cordon=f"{mark.by}:active", coreops_drain=None)
    drained, kept = spec.memory(DRAIN), spec.memory(CORDON)
    if drained and drained[1] == "active":
        # It was open until one of us drained it: who undoes that leaves this cordon.
        spec = spec.to(spec.availability, coreops_drain=f"{drained[0]}:pause")
        kept = kept or (mark.by, "active")
        return spec.to(spec.availability, coreops_cordon=f"{mark.by}:{kept[1]}")
    if mark.by == "operator":
        return spec.to(spec.availability, coreops_cordon=f"operator:{kept[1] if kept else spec.availability}")
    return spec


def drain(spec: Spec, by: By, token: int = 0) -> Spec:
    """No tasks at all. Remembers from where, unless it was so; what an upgrade drained an operator takes over, and
    both what a restart did.
    """
    spec = _stamped(spec, token)
    if spec.availability != "drain":
        return spec.to("drain", coreops_drain=f"{by}:{spec.availability}")
    memory = spec.memory(DRAIN)
    if memory and (by == "operator" or (by == "upgrade" and memory[0] == "restart")):
        return spec.to("drain", coreops_drain=f"{by}:{memory[1]}")
    return spec


def uncordon(spec: Spec, by: By, token: int = 0) -> Spec:
    """For an operator: active, whoever it was. Else: what this one did is undone, and nothing more."""
    spec = _stamped(spec, token)
    if by == "operator":
        return spec.to("active", coreops_cordon=None, coreops_drain=None)
    drained, kept = spec.memory(DRAIN), spec.memory(CORDON)
    if drained and drained[0] == by:
        spec = spec.to(drained[1] if spec.availability == "drain" else spec.availability, coreops_drain=None)
    if kept and kept[0] == by:
        spec = spec.to(kept[1] if spec.availability == "pause" else spec.availability, coreops_cordon=None)
    return spec


def _token(spec: Spec) -> int:
    text = spec.labels.get(TOKEN, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _stamped(spec: Spec, token: int) -> Spec:
    check(spec, token)
    return spec.to(spec.availability, coreops_token=str(token)) if token > _token(spec) else spec
