"""What Kubernetes says of nodes and pods, as far as coreops needs it. Pure: reads the API's JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coreops.errors import HostFailed

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.ASCII)
"""A name in Kubernetes: of a node, a pod, a namespace. Nothing in it means anything to a shell or in a URL."""

CORDON = "coreops.dev/cordon"
FENCE = "coreops.dev/fence"
LABELS = "coreops.dev/labels"
ETCD_ROLE = "node-role.kubernetes.io/etcd"
ETCD_REMOVE = "etcd.k3s.cattle.io/remove"
ETCD_REMOVED = "etcd.k3s.cattle.io/removed-node-name"
SYSTEM = "kube-system"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeNode:
    """One Node object. revision: its resourceVersion. machine: the machine-id of what registered it."""

    name: str
    revision: str = ""
    unschedulable: bool = False
    ready: bool = False
    version: str = ""
    machine: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def server(self) -> bool:
        return any(f"node-role.kubernetes.io/{role}" in self.labels for role in ("control-plane", "master"))

    @property
    def etcd(self) -> bool:
        """Has it a member of k3s's own etcd?"""
        return self.labels.get(ETCD_ROLE) == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One Pod object. owner: kind and name of what controls it, ("", "") when nothing does. scratch: has emptyDir."""

    namespace: str
    name: str
    uid: str
    node: str
    phase: str
    owner: tuple[str, str] = ("", "")
    template: str = ""
    mirror: bool = False
    ending: bool = False
    scratch: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def over(self) -> bool:
        """Its containers have ended for good."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def stays(self) -> bool:
        """Belongs to the node: a static pod, or a DaemonSet's, which ignores that a node is cordoned."""
        return self.mirror or self.owner[0] == "DaemonSet"

    @property
    def state(self) -> str:
        return "Terminating" if self.ending else self.phase

    @property
    def service(self) -> str:
        """What a user would call the thing that it belongs to: the Deployment rather than its ReplicaSet."""
        kind, name = self.owner
        if not kind:
            return str(self)
        if kind == "ReplicaSet" and self.template and name.endswith(f"-{self.template}"):
            return f"{self.namespace}/{name[: -len(self.template) - 1]}"
        return f"{self.namespace}/{name}"


def nodes(text: bytes) -> tuple[KubeNode, ...]:
    """Read a NodeList. Raises HostFailed for anything else."""
    return tuple(_node(item) for item in _items(text))


def pods(text: bytes) -> tuple[Pod, ...]:
    """Read a PodList. Raises HostFailed for anything else."""
    return tuple(_pod(item) for item in _items(text))


def _node(item: Mapping[str, Any]) -> KubeNode:
    meta, status = item["metadata"], item.get("status") or {}
    info = status.get("nodeInfo") or {}
    ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in status.get("conditions") or ())
    return KubeNode(
        name=_name(meta),
        revision=str(meta.get("resourceVersion", "")),
        unschedulable=bool((item.get("spec") or {}).get("unschedulable")),
        ready=ready,
        version=str(info.get("kubeletVersion", "")),
        machine=str(info.get("machineID", "")),
        labels=dict(meta.get("labels") or {}),
        annotations=dict(meta.get("annotations") or {}),
    )


def _pod(item: Mapping[str, Any]) -> Pod:
    meta, spec = item["metadata"], item.get("spec") or {}
    owners = meta.get("ownerReferences") or ()
    owner = next(((str(o.get("kind", "")), str(o.get("name", ""))) for o in owners if o.get("controller")), ("", ""))
    return Pod(
        namespace=_name({"name": meta.get("namespace", "default")}),
        name=_name(meta),
        uid=str(meta.get("uid", "")),
        node=str(spec.get("nodeName") or ""),
        phase=str((item.get("status") or {}).get("phase", "Unknown")),
        owner=owner,
        template=str((meta.get("labels") or {}).get("pod-template-hash", "")),
        mirror="kubernetes.io/config.mirror" in (meta.get("annotations") or {}),
        ending="deletionTimestamp" in meta,
        scratch=any("emptyDir" in volume for volume in spec.get("volumes") or ()),
    )


def _items(text: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        yield from json.loads(text)["items"] or ()
    except (ValueError, KeyError, TypeError) as error:
        raise HostFailed(
            "the answer of Kubernetes cannot be read",
            why=f"{type(error).__name__}: {error}; it begins with {text[:60]!r}",
            next="try k3s kubectl get nodes on a server",
        ) from error


def _name(meta: Mapping[str, Any]) -> str:
    name = meta.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise HostFailed("Kubernetes has an object with an impossible name", why=f"found {name!r:.80}")
    return name
