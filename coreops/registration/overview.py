"""The registered nodes beside the inventory's hosts: who is there, who is missing, whom nobody knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from coreops.registration.readers import Change
from coreops.registration.record import Registered

State = Literal["registered", "missing", "not registered", "stranger"]


@dataclass(frozen=True, slots=True)
class Row:
    """One host. missing: it should be registered and is not. stranger: registered, but no host of the inventory."""

    host: str
    state: State
    node: Registered | None = None


def rows(wanted: Mapping[str, bool], nodes: Mapping[str, Registered]) -> tuple[Row, ...]:
    """wanted: the inventory's hosts, and whether each is to register. nodes: by machine-id.

    A machine that was replaced may be there twice for a while: the newest is the host's, the other one a stranger.
    """
    by_host: dict[str, Registered] = {}
    for node in sorted(nodes.values(), key=lambda node: (node.since, node.machine_id)):
        by_host[node.host] = node
    found = []
    for host, due in wanted.items():
        node_ = by_host.get(host)
        found.append(Row(host, "registered" if node_ else "missing" if due else "not registered", node_))
    mine = {row.node.machine_id for row in found if row.node}
    return (*found, *(Row(node.host, "stranger", node) for machine, node in nodes.items() if machine not in mine))


def say(change: Change) -> str:
    """One change in one line."""
    node = change.node
    if change.now is None:
        return f"{node.host} is gone ({node.address}, {node.version} since {node.since})"
    if change.before is None:
        slot = f" from {node.slot}" if node.slot else ""
        return f"{node.host} is there ({node.address}, {node.version}{slot}, boot {node.boot_id[:8]})"
    return f"{node.host}: " + ", ".join(_differences(change.before, change.now))


def plain(change: Change) -> dict[str, object]:
    """One change for ``--json``."""
    what = "gone" if change.now is None else "there" if change.before is None else "changed"
    return {"change": what, "host": change.node.host, "before": change.before, "now": change.now}


def _differences(before: Registered, now: Registered) -> list[str]:
    found = []
    for name in (field.name for field in fields(Registered)):
        old, new = getattr(before, name), getattr(now, name)
        if old != new:
            word = "boot" if name == "boot_id" else name
            found.append(f"{word} {_short(name, old)} -> {_short(name, new)}")
    return found


def _short(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={each}" for key, each in value.items()) or "none"
    text = str(value)
    return (text[:8] if name in ("boot_id", "machine_id") else text) or "none"
