"""Moves work away from a node and lets it come back: cordon, drain, uncordon, and the questions about it.

A cordon makes the node ineligible. A drain is Nomad's own, with a note of who asked for it, and without a deadline
unless the operator set one: nothing is forced. Nomad calls a drain complete when it has *planned* that all work goes
(hashicorp/nomad#14293), so what counts here is that each allocation's client status is terminal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from urllib.parse import quote

from coreops.errors import HostFailed
from coreops.schedulers.nomad import memory
from coreops.schedulers.nomad.api import Api
from coreops.schedulers.nomad.found import BY, SYSTEM, TOKEN, Allocation, Client, allocation, client, pick
from coreops.schedulers.nomad.memory import Memory
from coreops.schedulers.protocol import Mark, Pause, Talk

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Work:
    """The work on one host's node; on a stray's, by the node's name or id. deadline: seconds until Nomad forces work to
    stop, 0 for never. system: system jobs go as well.
    """

    api: Api
    host: str
    deadline: int
    system: bool

    def cordon(self, mark: Mark) -> Talk[None]:
        node = yield from self._node()
        if node is None:
            return
        known = yield from memory.read(self.api, node)
        known.fence(mark)
        owner, token = known.owner(node), known.seen(mark)
        if owner == "":
            yield from self._take(node, Memory(mark.by, token, 0, known.index))
        elif owner == "upgrade" and mark.by == "operator":
            yield from memory.write(self.api, node, replace(known.confirmed(node), by="operator"))
        else:  # it stays whose it is; only the newest token is kept, for later ones to be compared with
            kept = replace(known, by="", held=0) if owner == "other" else known.confirmed(node)
            yield from self._keep(node, known, replace(kept, token=token))

    def _take(self, node: Client, intent: Memory) -> Talk[None]:
        known = yield from memory.write(self.api, node, intent)
        index = yield from self._eligibility(node, "ineligible")
        if not index:  # it already was: an answer of ours was lost, or somebody was quicker
            now = yield from self._read(node.id)
            known = known.confirmed(now) if known.owner(now) == known.by else replace(known, by="")
        yield from memory.write(self.api, node, replace(known, held=index or known.held))

    def drain(self, mark: Mark) -> Talk[None]:
        node = yield from self._node()
        if node is None:
            return
        known = yield from memory.read(self.api, node)
        known.fence(mark)
        if node.eligible:
            raise HostFailed(
                f"{self.host} takes new work again",
                why="somebody made its node eligible after it was cordoned",
                next="find out who; then run the same command again",
            )
        sent = False
        while True:
            left = yield from self.left(node)
            if not left:
                return
            if sent and node.drain_status == "canceled":
                raise HostFailed(
                    f"the drain of {self.host} was cancelled",
                    why="not by coreops; still there: " + "; ".join(str(each) for each in left),
                    next="find out who; then run the same command again",
                )
            if not sent and not node.draining and not node.gone:
                yield from self._drain(node, mark)
                sent = True
            yield Pause(tuple(str(each) for each in left))
            node = yield from self._read(node.id)

    def _drain(self, node: Client, mark: Mark) -> Talk[None]:
        spec = {"Deadline": self.deadline * _SECOND, "IgnoreSystemJobs": not self.system}
        meta = {BY: mark.by, TOKEN: str(mark.token), "message": f"coreops drains {self.host}"}
        body = {"DrainSpec": spec, "MarkEligible": False, "Meta": meta}
        yield from self.api.put(f"/v1/node/{node.id}/drain", body, f"drain {self.host}")

    def drained(self) -> Talk[tuple[str, ...]]:
        node = yield from self._node()
        if node is None:
            return ()
        left = yield from self.left(node)
        return tuple(str(each) for each in left)

    def uncordon(self, mark: Mark) -> Talk[None]:
        node = yield from self._node()
        if node is None:
            return
        known = yield from memory.read(self.api, node)
        known.fence(mark)
        owner = known.owner(node)
        undo = owner == "upgrade" if mark.by == "upgrade" else bool(owner)
        if node.draining and (node.ours or mark.by == "operator") and not node.eligible:
            body = {"DrainSpec": None, "MarkEligible": undo}
            yield from self.api.put(f"/v1/node/{node.id}/drain", body, f"end the drain of {self.host}")
        elif undo:
            yield from self._eligibility(node, "eligible")
        if undo or known.by == mark.by or not known.by:
            yield from self._keep(node, known, Memory("", known.seen(mark), 0, known.index))
        if owner and not undo:
            return
        while True:
            now = yield from self._read(node.id)
            if now.status == "ready" and now.eligible:
                return
            yield Pause((f"{self.host} ({now.status}, {'' if now.eligible else 'not '}eligible)",))

    def _node(self) -> Talk[Client | None]:
        """None for a server that takes no work: there is nothing to move."""
        stubs = yield from self.api.pages(f"/v1/nodes?{_filter(Name=self.host, ID=self.host)}")
        found = pick((client(each) for each in stubs), self.host)
        if found is None:
            return None
        return (yield from self._read(found.id))

    def _read(self, id: str) -> Talk[Client]:
        value = yield from self.api.get(f"/v1/node/{id}")
        return client(value)

    def left(self, node: Client) -> Talk[tuple[Allocation, ...]]:
        """What still runs there and has to go."""
        found = yield from allocations(self.api, _filter(NodeID=node.id))
        return tuple(each for each in found if not each.terminal and (self.system or each.kind != SYSTEM))

    def _eligibility(self, node: Client, word: str) -> Talk[int]:
        """The index of the change; 0 when it was so already."""
        body = {"NodeID": node.id, "Eligibility": word}
        answer = yield from self.api.put(f"/v1/node/{node.id}/eligibility", body, f"make {self.host} {word}")
        return int(answer.get("NodeModifyIndex") or 0)

    def _keep(self, node: Client, old: Memory, new: Memory) -> Talk[None]:
        if new != old:
            yield from memory.write(self.api, node, new)


def allocations(api: Api, chosen: str) -> Talk[tuple[Allocation, ...]]:
    """Allocations of all namespaces; chosen: a ``filter=``."""
    found = yield from api.pages(f"/v1/allocations?namespace=*&task_states=false&{chosen}")
    return tuple(allocation(each) for each in found)


def running(api: Api) -> Talk[tuple[Allocation, ...]]:
    """All that have not ended."""
    return allocations(api, _filter(ClientStatus=("running", "pending", "unknown")))


def _filter(**wanted: str | tuple[str, ...]) -> str:
    """Any of these. Nomad's expressions quote texts as Go does, which for names is as JSON does."""
    pairs = [(key, each) for key, value in wanted.items() for each in (value if isinstance(value, tuple) else (value,))]
    return "filter=" + quote(" or ".join(f"{key} == {json.dumps(value)}" for key, value in pairs), safe="")
