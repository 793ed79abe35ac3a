"""Wanted machines and found ones compared: the plan that is the same for every provider. Pure.

A provider says what a machine's facts should be, and which calls a change takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from coreops.providers.protocol import Action, Change, Machine, Wanted

USER_DATA = "user_data"
FOR_NEW_ONES = "keeps the user-data it was born with; today's differs, and counts for new machines"


def plan(
    wanted: Sequence[Wanted],
    found: Sequence[Machine],
    facts: Callable[[Wanted], Mapping[str, str]],
    calls: Callable[[Action, str, Wanted | None, Machine | None], tuple[str, ...]],
) -> tuple[Change, ...]:
    """Return one change a wanted node, in their order, then one a machine that nobody wants.

    facts: what a machine made from this would report; only what both sides know is compared. calls: for an action on a
    node, what ``--check`` prints.
    """
    by_node = {machine.node: machine for machine in found}
    changes = []
    for each in wanted:
        machine = by_node.pop(each.node, None)
        action, why = _judge(machine, facts(each))
        changes.append(Change(each.node, action, why, calls(action, each.node, each, machine)))
    for machine in by_node.values():
        why = f"{machine.id} carries our mark, and the inventory has no such node"
        changes.append(Change(machine.node, "remove", why, calls("remove", machine.node, None, machine)))
    return tuple(changes)


def _judge(machine: Machine | None, facts: Mapping[str, str]) -> tuple[Action, str]:
    if machine is None:
        return "create", "there is none"
    differs = [
        f"{name} is {machine.facts[name]}, wanted {value}"
        for name, value in facts.items()
        if name != USER_DATA and name in machine.facts and machine.facts[name] != value
    ]
    if differs:
        return "replace", "; ".join(differs)
    if machine.state == "stopped":
        return "start", f"{machine.id} is stopped"
    born = machine.facts.get(USER_DATA)
    return "keep", FOR_NEW_ONES if born is not None and born != facts.get(USER_DATA, born) else ""
