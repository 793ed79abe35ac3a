"""In which order the nodes of a rollout go, and why each stands where it stands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coreops.upgrade.plan import NodePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What decides a node's place. chosen: the inventory names it as a canary (``upgrade_canary``). idle: it has
    nothing to do, so it would be a canary that proves nothing.
    """

    name: str
    zone: str = ""
    member: bool = False
    leader: bool = False
    chosen: bool = False
    idle: bool = False


def order(nodes: Sequence[Standing], canaries: int) -> tuple[NodePlan, ...]:
    """Canaries first, then nodes without a store member, then members; zone by zone; the store's leader last.

    canaries: how many go alone at first. Those the inventory names are canaries in any case (unless it is 0); the rest
    are taken from the front, the leader never.
    """
    zones = {zone: rank for rank, zone in enumerate(dict.fromkeys(node.zone for node in nodes))}
    ranked = sorted(nodes, key=lambda node: (node.leader, node.member, zones[node.zone]))
    first: list[Standing] = []
    if canaries:
        busy = [node for node in ranked if not node.idle]
        named = [node for node in busy if node.chosen]
        others = [node for node in busy if not node.chosen and (not node.leader or len(busy) == 1)]
        first = [*named, *others[: max(0, canaries - len(named))]]
    rest = [node for node in ranked if node not in first]
    stored = any(node.member for node in nodes)
    return tuple(
        NodePlan(
            name=node.name,
            zone=node.zone,
            member=node.member,
            canary=node in first,
            why=_why(node, node in first, stored),
        )
        for node in (*first, *rest)
    )


def _why(node: Standing, canary: bool, stored: bool) -> str:
    if canary:
        named = "named by the inventory" if node.chosen else "goes first, alone"
        return f"canary, {named}" + (", though it leads the store" if node.leader else "")
    if node.leader:
        return "leads the store: goes last"
    if node.member:
        return "member of the store"
    return "no member of the store: goes before those" if stored else "in the order of zones and inventory"
