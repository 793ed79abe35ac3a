"""Asks providers what ``*.coreops.yml`` files ask for, and keeps the answers where the inventory reads them."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coreops.errors import CoreopsError
from coreops.events import Emit, Notice
from coreops.inventory import found
from coreops.inventory.lookup import Lookup
from coreops.providers import registry
from coreops.providers.protocol import Machine, Provider
from coreops.provision import trust
from coreops.provision.at_once import at_once
from coreops.provision.book import rewrite_known_hosts, write_anew
from coreops.provision.create import FORKS


def is_due(lookup: Lookup, now: float) -> bool:
    """Say whether there is no answer, or only one that is too old (or from the future)."""
    kept = found.answer(lookup)
    return kept is None or not 0 <= now - kept["at"] <= lookup.ttl


def look(lookup: Lookup, emit: Emit) -> None:
    """Ask, and keep the answer. Raises CoreopsError: an old answer stays then, and is not used."""
    lookup.answer.parent.mkdir(parents=True, exist_ok=True)
    lookup.answer.parent.parent.chmod(0o700)
    with lookup.answer.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two of us would each take out the other's lines of known_hosts
        kept = found.answer(lookup)
        try:
            provider, machines = _ask(lookup, emit)
        except CoreopsError as error:
            raise _with_advice(error, lookup, kept) from error
        machines = tuple(sorted(machines, key=lambda machine: (machine.node, machine.id)))
        old: Mapping[str, Mapping[str, Any]] = {each["id"]: each for each in kept["machines"]} if kept else {}
        records = at_once(
            lambda machine: _record(lookup, provider, machine, old.get(machine.id), emit), machines, FORKS
        )
        before = [line for each in old.values() for line in each["known_hosts"]]
        now = [line for each in records for line in each["known_hosts"]]
        gone = dict.fromkeys(line for line in before if line not in set(now))
        rewrite_known_hosts(lookup.file.parent, gone, dict.fromkeys(now))
        told = {"format": found.FORMAT, "asked": lookup.asked, "at": time.time(), "machines": records}
        write_anew(lookup.answer, json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def _ask(lookup: Lookup, emit: Emit) -> tuple[Provider, tuple[Machine, ...]]:
    record = registry.find(lookup.provider, lookup.where)
    opening = registry.Opening(
        lookup.cluster, Path(lookup.file.parent), {lookup.file.name: lookup.settings}, lookup.where, emit
    )
    if lookup.tags:
        finder = registry.finder(record, opening)
        return finder, finder.find(lookup.tags)
    provider = registry.connect(record, opening)
    return provider, provider.observe(lookup.cluster)


def _record(
    lookup: Lookup, provider: Provider, machine: Machine, known: Mapping[str, Any] | None, emit: Emit
) -> dict[str, Any]:
    """One machine as it is kept. Keys of a machine that is known are not asked for again; its addresses may be new."""
    keys: tuple[str, ...] = tuple(known["host_keys"]) if known else ()
    lines: tuple[str, ...] = ()
    if lookup.host_keys:
        try:
            keys = keys or (provider.host_keys(machine) if machine.state == "running" else ())
            lines = trust.lines(tuple(machine.addresses.values()), keys, machine.node)
        except CoreopsError as error:  # the others are of use without it
            emit(Notice(f"its host key cannot be learned: {error.why or error.what}", machine.node))
    return {
        "node": machine.node,
        "id": machine.id,
        "state": machine.state,
        "addresses": dict(machine.addresses),
        "facts": dict(machine.facts),
        "host_keys": list(keys),
        "known_hosts": list(lines),
    }


def _with_advice(error: CoreopsError, lookup: Lookup, kept: Mapping[str, Any] | None) -> CoreopsError:
    """What was found before can be used, if the operator says so."""
    if kept is not None:
        age = max(0, round(time.time() - kept["at"]))
        advice = f"or go on with what was found {age} s ago: a larger ttl in {lookup.file}"
        error.next = f"{error.next}; {advice}" if error.next else advice
    return error
