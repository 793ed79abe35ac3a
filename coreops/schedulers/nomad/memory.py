"""Where coreops remembers, in Nomad, who cordoned a node: a variable ``coreops/nodes/ID`` for each.

Nomad keeps notes with a drain only, not with a node's eligibility, and has no write that changes both. So it is written
ahead, and what Nomad's own log says decides: first the variable says who wants the node cordoned (with check-and-set,
so of two controllers one loses), then the node is made ineligible, then the variable gets the index of that change.
A later "marked as ineligible" or drain in the node's events, or somebody's change where only the intent was written,
shows that the cordon is no longer ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from coreops.errors import HostFailed
from coreops.schedulers.nomad.api import Api, Reply
from coreops.schedulers.nomad.found import DRAIN_EVENTS, INELIGIBLE_EVENT, Client
from coreops.schedulers.protocol import By, Fenced, Mark, Talk

_PATH = "coreops/nodes/"


@dataclass(frozen=True, slots=True)
class Memory:
    """by: whose cordon it is, "" for nobody's. token: the highest that was seen. held: the index of the change that
    cordoned the node, 0 while that is only intended. index: of the variable itself, 0 when there is none.
    """

    by: By | str = ""
    token: int = 0
    held: int = 0
    index: int = 0

    def owner(self, client: Client) -> str:
        """Who cordoned this node: upgrade, operator, other; "" for nobody."""
        if client.eligible:
            return ""
        return "other" if not self.by or self._taken(client) else self.by

    def _taken(self, client: Client) -> bool:
        """Has somebody else cordoned or drained the node since?"""
        if not self.held:
            return False
        later = [message for index, message in client.events if index > self.held]
        return INELIGIBLE_EVENT in later or (not client.ours and any(each in later for each in DRAIN_EVENTS))

    def fence(self, mark: Mark) -> None:
        """Raises Fenced when a controller with a newer lease has been here."""
        if mark.by == "upgrade" and mark.token < self.token:
            raise Fenced(
                "a newer controller has taken over",
                why=f"this one has the token {mark.token}, Nomad has seen {self.token} for this node",
                next="let the newer one finish; coreops locks list shows who it is",
            )

    def seen(self, mark: Mark) -> int:
        return max(self.token, mark.token)


def read(api: Api, client: Client) -> Talk[Memory]:
    """What is remembered of a node."""
    value = yield from api.get(f"/v1/var/{_PATH}{client.id}", absent=True)
    return Memory() if value is None else _memory(value)


def write(api: Api, client: Client, new: Memory) -> Talk[Memory]:
    """Remember it, unless somebody wrote since ``new.index``. Raises Fenced."""
    items = {"by": new.by, "token": str(new.token), "held": str(new.held)}
    path = f"/v1/var/{_PATH}{client.id}"
    body = {"Namespace": "default", "Path": f"{_PATH}{client.id}", "Items": items}
    reply: Reply = yield from api.request("PUT", f"{path}?cas={new.index}", body)
    if reply.status == 409 and isinstance(reply.value, dict) and reply.value.get("Items") == items:
        return _memory(reply.value)  # our own write, sent again after its answer was lost
    if reply.status == 409:
        raise Fenced(
            "somebody else is at this node's cordon", why="the note about it was changed meanwhile", next="look again"
        )
    if not reply.good:
        raise HostFailed("could not note who cordons the node", why=f"HTTP {reply.status}: {reply.value!s:.200}")
    return replace(new, index=_memory(reply.value).index)


def forget(api: Api, id: str) -> Talk[None]:
    """Remember nothing of a node that is gone."""
    yield from api.put(f"/v1/var/{_PATH}{id}", None, "forget who cordoned the node", method="DELETE")


def _memory(value: Any) -> Memory:
    items = value.get("Items") or {}
    return Memory(
        items.get("by") or "", int(items.get("token") or 0), int(items.get("held") or 0), value["ModifyIndex"]
    )
