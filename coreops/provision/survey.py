"""Asks providers what there is. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from coreops.provision.share import Share, Survey


def survey(shares: Sequence[Share], only: Collection[str] | None = None) -> tuple[Survey, ...]:
    """Return what each provider found and what must change. only: look at no other nodes. Raises CoreopsError."""
    seen = [(share, share.nodes, share.provider.observe(share.cluster)) for share in shares]
    # two programs may look into one cloud: what one of them is to make is no stray of the other
    claimed = {
        (share.cluster, machine.node, machine.id)
        for share, nodes, machines in seen
        for machine in machines
        if machine.node in nodes
    }
    surveys = []
    for share, nodes, machines in seen:
        found = tuple(
            machine
            for machine in machines
            if (only is None or machine.node in only)
            and (machine.node in nodes or (share.cluster, machine.node, machine.id) not in claimed)
        )
        surveys.append(Survey(share, found, share.provider.plan(share.wanted, found)))
    return tuple(surveys)


def unasked(machines: Mapping[str, Mapping[str, Any]], shares: Sequence[Share]) -> Iterator[str]:
    """Say of machines that were made, but whose provider and cluster the inventory no longer names, where they are."""
    asked = {(share.provider.name, share.cluster) for share in shares}
    for node, each in machines.items():
        if (each["provider"], each["cluster"]) not in asked:
            yield (
                f"{node}: {each['provider']} made {each['id']} for cluster {each['cluster']}, and no host names these"
                " any more: it may still run, and is not looked at"
            )
