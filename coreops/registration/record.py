"""The record of one node as it stands in the store. Pure: text in, data out; tolerant, as newer nodes may say more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIX = "/coreops/nodes/"
FORMAT = 1
_TEXTS = ("host", "machine_id", "address", "zone", "version", "slot", "boot_id", "scheduler", "since")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One node. since: UTC; from then on it has been registered without a gap. slot "": the node has none."""

    machine_id: str
    host: str = ""
    address: str = ""
    zone: str = ""
    version: str = ""
    slot: str = ""
    boot_id: str = ""
    scheduler: str = ""
    since: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def parse(key: str, value: str) -> Registered | None:
    """Read one key and its value; None for what is no record, or of a format that is not ours."""
    name = key.removeprefix(PREFIX)
    try:
        found = json.loads(value)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("v") != FORMAT or found.get("machine_id") != name or name == key:
        return None
    texts = {field: found.get(field, "") for field in _TEXTS}
    labels = found.get("labels", {})
    if not isinstance(labels, dict) or not all(isinstance(each, str) for each in (*texts.values(), *labels.values())):
        return None
    return Registered(**texts, labels=labels)


def static(host: str, address: str, zone: str, scheduler: str, labels: Mapping[str, str]) -> dict[str, object]:
    """The inventory's part of a record; the node adds what only it knows."""
    return {
        "v": FORMAT,
        "host": host,
        "address": address,
        "zone": zone,
        "scheduler": scheduler,
        "labels": dict(labels),
    }
