"""The nodes that are staged and wait for their turn, in the plan's order, zone by zone. Asks the rules, no more."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from coreops.upgrade.coordinator.rules import Rule, Situation
from coreops.upgrade.coordinator.turn import Turn


def objection(rules: Sequence[Rule], s: Situation, node: str) -> tuple[Rule | None, str]:
    """The first rule that keeps a node's turn from beginning, and its words."""
    for rule in rules:
        if rule.scope and (no := rule.ask(s, node)):
            return rule, no
    return None, ""


def held_at_gate(rules: Sequence[Rule], s: Situation, node: str, *, going_back: bool = False) -> tuple[bool, str]:
    """Is the node sent away from a gate, or made to wait, and in which words?"""
    for rule in rules:
        if rule.at_gate and (rule.backwards or not going_back):
            no = rule.ask(s, node)
            if no:
                return rule.at_gate == "leave", no
    return False, ""


class Line:
    """One queue a zone, so that a zone that must wait costs one question."""

    def __init__(self, situation: Situation, rules: Sequence[Rule]) -> None:
        self._s = situation
        self._rules = [rule for rule in rules if rule.scope]
        self._queues: dict[str, list[tuple[int, Turn]]] = {node.zone: [] for node in situation.nodes.values()}

    def join(self, turn: Turn) -> None:
        """Stand in line."""
        heapq.heappush(self._queues[self._s.nodes[turn.node].zone], (turn.rank, turn))

    def leave(self) -> Iterator[Turn]:
        """Who may begin now, one after the other; the rules see each that has begun before the next is asked about."""
        everybody = False
        for queue in self._queues.values():
            if not queue:
                continue
            waiting: list[tuple[int, Turn]] = []
            while queue:
                item = queue[0]
                rule, _ = objection(self._rules, self._s, item[1].node) if item[1].outcome is None else (None, "")
                everybody = rule is not None and rule.scope == "rollout"
                if rule is not None and rule.scope != "node":
                    break
                heapq.heappop(queue)
                if rule is not None:
                    waiting.append(item)
                elif item[1].outcome is None:
                    yield item[1]
            for item in waiting:
                heapq.heappush(queue, item)
            if everybody:
                return
