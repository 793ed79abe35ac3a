"""``*.coreops.yml``: an inventory file that names where machines are found, instead of naming hosts. Asks nobody.

Whoever asks the provider (the command line does) leaves the answer below ``.coreops/found`` beside the file, where
``found`` reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.inventory.data import Setting
from coreops.inventory.yaml_nodes import Builder, compose
from coreops.model import Position

TTL = 300.0
TAG = "tag:"
FACTS = ("region", "zone", "type", "state", "market", "scaling_group")
"""What machines can be grouped by, besides their tags."""

KEYS = ("provider", "cluster", "tags", "ttl", "groups", "group_by", "vars", "host_keys")

Conditions = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a file asks for: machines with the mark of ``cluster``, or with ``tags`` whoever made them.

    settings: the provider's own variables. groups: by name, what a machine must have to be in it. group_by: what makes
    a group of each value it has. ttl: seconds for which an answer is good. host_keys: learn them as well.
    """

    file: Path
    provider: str
    cluster: str
    tags: Mapping[str, str]
    settings: Mapping[str, Any] = field(repr=False)
    groups: Mapping[str, Conditions]
    group_by: tuple[str, ...]
    vars: Mapping[str, Setting] = field(repr=False)
    ttl: float
    host_keys: bool
    where: Position

    @property
    def answer(self) -> Path:
        """Where the answer is kept."""
        return self.file.parent / ".coreops" / "found" / f"{self.file.name}.json"

    @property
    def asked(self) -> str:
        """The digest of the question: an answer to another one is none."""
        said = [self.provider, self.cluster, dict(self.tags), dict(self.settings), self.host_keys]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read_lookup(text: str, file: str) -> Lookup:
    """Read such a file. Raises InputError with file:line:column."""
    from yaml.nodes import MappingNode

    build, root = Builder(file), compose(text, file)
    top = Position(file, 1)
    if not isinstance(root, MappingNode):
        raise InputError("it must be a mapping with a provider", where=top, next="provider: ec2")
    values, places = {}, {}
    for entry in build.entries(root):
        values[entry.key], places[entry.key] = build.value(entry.value), build.at(entry.key_node)
    provider = values.get("provider")
    if not isinstance(provider, str):
        raise InputError("it names no provider", where=places.get("provider", top), next="provider: ec2")
    own = {key: value for key, value in values.items() if str(key).startswith(f"{provider}_")}
    if unknown := [key for key in values if key not in KEYS and key not in own]:
        raise InputError(
            f"unknown key {unknown[0]!r}",
            where=places[unknown[0]],
            why=f"there are {', '.join(KEYS)} and {provider}_...",
            next=did_you_mean(str(unknown[0]), KEYS),
        )
    if ("cluster" in values) == ("tags" in values):
        raise InputError(
            "say cluster (machines that carry coreops's mark) or tags (whoever made them), one of them", where=top
        )
    ttl = values.get("ttl", TTL)
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 <= ttl < 1e9:
        raise InputError("ttl is a number of seconds", where=places["ttl"])
    host_keys = values.get("host_keys", False)
    if not isinstance(host_keys, bool):
        raise InputError("host_keys is true or false", where=places["host_keys"])

    def at(key: str) -> Position:
        return places.get(key, top)

    groups = _table(values.get("groups", {}), "groups", at("groups"))
    return Lookup(
        file=Path(file),
        provider=provider,
        cluster=_text(values.get("cluster", ""), "cluster", at("cluster")),
        tags={
            k: _text(v, f"tags: {k}", at("tags")) for k, v in _table(values.get("tags", {}), "tags", at("tags")).items()
        },
        settings=own,
        groups={name: _conditions(name, each, at("groups")) for name, each in groups.items()},
        group_by=tuple(_known(key, at("group_by")) for key in _list(values.get("group_by", []), at("group_by"))),
        vars={k: Setting(v, at("vars")) for k, v in _table(values.get("vars", {}), "vars", at("vars")).items()},
        ttl=float(ttl),
        host_keys=host_keys,
        where=at("provider"),
    )


def _conditions(group: str, value: Any, where: Position) -> Conditions:
    table = _table(value, f"groups: {group}", where)
    if not table:
        raise InputError(f"group {group!r} has no condition", where=where, next="store: {tag:role: store}")
    return {
        _known(key, where): tuple(_text(one, f"groups: {group}", where) for one in _list(wanted, where))
        for key, wanted in table.items()
    }


def _known(key: Any, where: Position) -> str:
    if isinstance(key, str) and (key in FACTS or (key.startswith(TAG) and key != TAG)):
        return key
    near = did_you_mean(str(key), FACTS)
    raise InputError(
        f"machines have no {key!r}",
        where=where,
        why=f"they have {', '.join(FACTS)}, tag:NAME",
        next=near or f"tag:{key}",
    )


def _table(value: Any, what: str, where: Position) -> Mapping[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    raise InputError(f"{what} must be a mapping with names", where=where)


def _list(value: Any, where: Position) -> list[Any]:
    found = value if isinstance(value, list) else [value]
    if any(isinstance(one, dict | list) for one in found):
        raise InputError("it must be a text or a list of texts", where=where)
    return found


def _text(value: Any, what: str, where: Position) -> str:
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return str(value)
    raise InputError(f"{what} must be a text, not {value!r}", where=where, next="quote it")
