"""Asks providers what there is. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from coreops.provision.share import Share, Survey


def survey(shares: Sequence[Share], only: Collection[str] | None = None) -> tuple[Survey, ...]:
    """Return what each provider found and what must change. only: look at no other nodes. Raises CoreopsError."""
    surveys = []
    for share in shares:
        found = share.provider.observe(share.cluster)
        if only is not None:
            found = tuple(machine for machine in found if machine.node in only)
        surveys.append(Survey(share, found, share.provider.plan(share.wanted, found)))
    return tuple(surveys)
