"""Who cordoned a node, remembered in the node: annotations that are written in one patch with ``spec.unschedulable``.
Pure: what was found and what is asked make a patch, or nothing to do.

- ``coreops.dev/cordon``: ``{"by": "upgrade", "token": 7, "previous": false}``; previous: was it cordoned before.
- ``coreops.dev/fence``: the highest token seen; it stays when the cordon goes.

A patch carries the resourceVersion that it was made for: Kubernetes refuses it when the node has changed since.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from coreops.schedulers.k3s.kube import CORDON, FENCE, KubeNode
from coreops.schedulers.protocol import By, Fenced, Mark

Patch = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the annotation says."""

    by: By
    token: int
    previous: bool

    @property
    def text(self) -> str:
        return json.dumps({"by": self.by, "token": self.token, "previous": self.previous})


def memory(node: KubeNode) -> Memory | None:
    """None without the annotation; what cannot be read is somebody else's, too."""
    try:
        found = json.loads(node.annotations[CORDON])
        by, token, previous = found["by"], found["token"], found["previous"]
    except (KeyError, TypeError, ValueError):
        return None
    if by not in ("upgrade", "operator") or not isinstance(token, int) or not isinstance(previous, bool):
        return None
    return Memory(by, token, previous)


def cordoned(node: KubeNode) -> Literal["", "upgrade", "operator", "other"]:
    """By whom. A node that somebody made schedulable again is not cordoned, whatever the annotation says."""
    if not node.unschedulable:
        return ""
    found = memory(node)
    return found.by if found else "other"


def fence(node: KubeNode, mark: Mark) -> None:
    """Raise Fenced for a mark that is older than what the node has seen. An operator is not fenced."""
    seen = _seen(node)
    if mark.by == "upgrade" and mark.token < seen:
        raise Fenced(
            f"a newer upgrade works on {node.name}",
            why=f"its token is {seen}, ours is {mark.token}",
            next="look at coreops status; this run has nothing more to do there",
        )


def cordon(node: KubeNode, mark: Mark) -> Patch | None:
    """The patch that makes it so, None when it is so. An upgrade leaves what it did not cordon as it is."""
    fence(node, mark)
    by = cordoned(node)
    if mark.by == "upgrade" and by in ("operator", "other"):
        return _patch(node, {}, mark)
    mine = Memory(mark.by, mark.token, previous=node.unschedulable and by == "other")
    found = memory(node)
    if by == mark.by and found and found.token >= mark.token:
        return _patch(node, {}, mark)
    return _patch(node, {CORDON: mine.text}, mark, unschedulable=True)


def uncordon(node: KubeNode, mark: Mark) -> Patch | None:
    """The patch that undoes it, None when there is nothing to undo."""
    fence(node, mark)
    if mark.by == "upgrade":
        found = memory(node)
        if found is None or found.by != "upgrade":
            return _patch(node, {}, mark)
        return _patch(node, {CORDON: None}, mark, unschedulable=False)
    if not node.unschedulable and CORDON not in node.annotations:
        return None
    return _patch(node, {CORDON: None}, mark, unschedulable=False)


def _seen(node: KubeNode) -> int:
    found = memory(node)
    text = node.annotations.get(FENCE, "")
    return max(int(text) if text.isascii() and text.isdigit() else 0, found.token if found else 0)


def _patch(
    node: KubeNode, annotations: dict[str, str | None], mark: Mark, unschedulable: bool | None = None
) -> Patch | None:
    if mark.token > _seen(node):
        annotations = {**annotations, FENCE: str(mark.token)}
    if not annotations and unschedulable is None:
        return None
    patch: Patch = {"metadata": {"resourceVersion": node.revision}}
    if annotations:
        patch["metadata"]["annotations"] = annotations
    if unschedulable is not None:
        patch["spec"] = {"unschedulable": unschedulable}
    return patch
