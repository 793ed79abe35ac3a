"""Machines that took the place of others behind coreops's back: a scaling group did it, or somebody by hand. Pure.

The same node, another id. Such a machine is the node's, as its mark says; only what was known of the old one is not
true of it, its host keys before all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from coreops.providers.protocol import Change
from coreops.provision.share import Survey

Known = Mapping[str, Mapping[str, Any]]
"""What was learned of machines, by node."""


def noted(surveys: Sequence[Survey], known: Known) -> tuple[Survey, ...]:
    """Return the surveys, with the reason of a change telling what a machine took the place of."""
    return tuple(replace(each, changes=tuple(_changes(each, known))) for each in surveys)


def _changes(survey: Survey, known: Known) -> Iterator[Change]:
    for change in survey.changes:
        old = predecessor(survey, change.node, known)
        machine = survey.machine(change.node)
        if not old or machine is None:
            yield change
            continue
        group = machine.facts.get("scaling_group")
        by = f" (scaling group {group})" if group else ""
        why = f"{machine.id} has taken the place of {old}{by}"
        yield replace(change, why=f"{why}; {change.why}" if change.why else why)


def predecessor(survey: Survey, node: str, known: Known) -> str:
    """The id of the machine that was the node's when coreops last looked; "" when it still is, or there was none."""
    ids = [machine.id for machine in survey.found if machine.node == node]
    old = known.get(node)
    same = old is not None and (old["provider"], old["cluster"]) == (survey.share.provider.name, survey.share.cluster)
    return str(old["id"]) if old is not None and same and len(ids) == 1 and old["id"] not in ids else ""
