"""What was found where a ``*.coreops.yml`` file says to look: kept beside it as JSON, read as hosts and groups.

Addresses, region and zone of machines are variables weaker than all that is written by hand.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from coreops.errors import InputError
from coreops.inventory.data import Setting
from coreops.inventory.draft import Draft
from coreops.inventory.files import read_text
from coreops.inventory.lookup import FACTS, TAG, Lookup, read_lookup
from coreops.inventory.machines import KINDS
from coreops.inventory.names import parse_host
from coreops.model import Position

FORMAT = 1
_UNFIT = re.compile(r"[^A-Za-z0-9_]")


def parse_lookup(text: str, file: str, draft: Draft) -> None:
    """Add the machines that were found to ``draft``. Raises InputError, also when nobody has asked yet."""
    lookup = read_lookup(text, file)
    found = answer(lookup)
    if found is None:
        raise InputError(
            "its machines have not been looked up yet", where=lookup.where, next="coreops inventory list --refresh"
        )
    everybody = draft.group("all", lookup.where)
    for name, setting in lookup.vars.items():
        draft.set(everybody, name, setting.value, setting.position)
    place = Position(str(lookup.answer))
    for machine, host in named(found["machines"]):
        owner = draft.host(host, place, everybody)
        draft.found[host] = _settings(machine, lookup.provider, place)
        for group in _groups(machine, lookup):
            draft.host(owner.name, place, draft.group(group, place))


def answer(lookup: Lookup) -> Mapping[str, Any] | None:
    """The kept answer to this very question; None when there is none that can be used."""
    if not lookup.answer.exists():
        return None
    try:
        kept = json.loads(read_text(lookup.answer))
        if kept["format"] != FORMAT or kept["asked"] != lookup.asked:
            return None
        machines = [_checked(each) for each in kept["machines"]]
        return {**kept, "at": float(kept["at"]), "machines": machines}
    except (ValueError, TypeError, KeyError, AttributeError, InputError):
        return None  # it is asked for again


def _checked(machine: Mapping[str, Any]) -> Mapping[str, Any]:
    texts = {name: str(machine[name]) for name in ("node", "id", "state")}
    tables = {name: {str(k): str(v) for k, v in machine[name].items()} for name in ("addresses", "facts")}
    lists = {name: [str(line) for line in machine[name]] for name in ("host_keys", "known_hosts")}
    return {**texts, **tables, **lists}


def named(machines: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], str]]:
    """Machines with their host names: the node's, or the id where that cannot be one or two would have it."""
    count = Counter(machine["node"] for machine in machines)
    return [
        (machine, machine["node"] if count[machine["node"]] == 1 and _is_host(machine["node"]) else machine["id"])
        for machine in machines
    ]


def _is_host(name: str) -> bool:
    try:
        return parse_host(name, Position("")) == ((name,), None)
    except InputError:
        return False


def _settings(machine: Mapping[str, Any], provider: str, place: Position) -> dict[str, Setting]:
    facts = machine["facts"]
    tags = {name.removeprefix(TAG): value for name, value in facts.items() if name.startswith(TAG)}
    told = {name: facts[name] for name in FACTS if name in facts}
    values: dict[str, Any] = {kind: machine["addresses"][kind] for kind in KINDS if machine["addresses"].get(kind)}
    values |= {name: facts[name] for name in ("region", "zone") if name in facts}
    values["machine"] = {**told, "provider": provider, "id": machine["id"], "state": machine["state"], "tags": tags}
    return {name: Setting(value, place) for name, value in values.items()}


def _groups(machine: Mapping[str, Any], lookup: Lookup) -> list[str]:
    has = {**machine["facts"], "state": machine["state"]}
    found = [
        name
        for name, conditions in lookup.groups.items()
        if all(has.get(key) in values for key, values in conditions.items())
    ]
    return found + [_UNFIT.sub("_", f"{key}_{has[key]}") for key in lookup.group_by if has.get(key)]
