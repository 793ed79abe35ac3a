"""How many machines of which type, in one line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from coreops.providers.protocol import Action
from coreops.provision.share import Survey

_TOLD: Final[dict[Action, str]] = {
    "create": "to create",
    "start": "to start",
    "replace": "that differ",
    "remove": "not in the inventory",
    "keep": "to keep",
    "reachable": "reachable",
    "unreachable": "not to be reached",
    "duplicate": "that are not one of a kind",
}


def summary(surveys: Sequence[Survey]) -> str:
    """``2 machines to create (ec2: 2 x t3.small), 1 to keep``."""
    actions = Counter(change.action for survey in surveys for change in survey.changes)
    parts = [f"{actions[action]} {told}{_kinds(surveys, action)}" for action, told in _TOLD.items() if actions[action]]
    return "machines: " + (", ".join(parts) or "none")


def _kinds(surveys: Sequence[Survey], action: Action) -> str:
    if action != "create":
        return ""
    return f" ({', '.join(f'{count} x {kind}' for kind, count in Counter(_created(surveys)).items())})"


def _created(surveys: Sequence[Survey]) -> Iterator[str]:
    for survey in surveys:
        name = survey.share.provider.name
        for change in survey.changes:
            if change.action == "create":
                settings = survey.wanted(change.node).settings
                size = settings.get(f"{name}_type", settings.get(f"{name}_size"))
                yield name if size is None else f"{name} {size}"
