"""Where coreops remembers, in Nomad, who cordoned a node: a variable ``coreops/nodes/ID`` for each.

Nomad keeps notes with a drain only, not with a node's eligibility, and has no write that changes both. So it is written
ahead, and what Nomad's own log says decides: first the variable says who wants the node cordoned (with check-and-set,
so of two controllers one loses), then the node is made ineligible, then the variable gets the index of that change. The
node's events, which count in the same indexes, show whether the change came after the intent, as ours does, and whether
somebody cordoned or drained the node again since, so that it is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from coreops.errors import HostFailed
from coreops.schedulers.nomad.api import Api, Reply
from coreops.schedulers.nomad.found import DRAIN_EVENTS, INELIGIBLE_EVENT, KEPT_EVENTS, Client
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

    def confirmed(self, client: Client) -> Memory:
        """With the index of the change, when it was only intended as far as we knew but did happen."""
        return self if self.held else replace(self, held=self._change(client))

    def _change(self, client: Client) -> int:
        """The first time that the node was made ineligible after this was written; 0 for never."""
        later = [index for index, message in client.events if index > self.index and message == INELIGIBLE_EVENT]
        return min(later, default=0)

    def _taken(self, client: Client) -> bool:
        """Did somebody else cordon the node: before our intent came to anything, or again since?"""
        held = self.confirmed(client).held
        if not held:  # not even intended when it happened, if the events go back that far
            return any(index <= self.index for index, _ in client.events) or len(client.events) < KEPT_EVENTS
        later = [message for index, message in client.events if index > held]
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
