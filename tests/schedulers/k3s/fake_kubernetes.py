"""A Kubernetes API server for tests, small and faithful: nodes, pods, evictions, and what controllers do meanwhile.

The real kubectl talks to it. What it answers follows, for each thing, the public source of truth:

- merge patches, and 409 for one made for another resourceVersion: "API Concepts" and "Resource Versions" in the
  Kubernetes documentation; apiserver/pkg/registry/generic/registry/store.go (``OptimisticLockErrorMsg``).
- the eviction subresource (201 with a Status, 404, 409 for another uid, 429 with the cause DisruptionBudget):
  "API-initiated Eviction" in the documentation; pkg/registry/core/pod/storage/eviction.go.
- a pod that is deleted stays, with a deletionTimestamp, until its containers have stopped: "Pod Lifecycle".
- pods of a node that was deleted go as well: pkg/controller/podgc. A node that is cordoned gets no new pods: "Nodes",
  manual node administration.
- etcd members of k3s's servers: k3s, pkg/etcd/member_controller.go (the annotation etcd.k3s.cattle.io/remove).
- node passwords of k3s: k3s, pkg/nodepassword (the Secret NODE.node-password.k3s in kube-system).
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]
RESOURCES = [
    {"name": "nodes", "singularName": "", "namespaced": False, "kind": "Node", "shortNames": ["no"]},
    {"name": "pods", "singularName": "", "namespaced": True, "kind": "Pod", "shortNames": ["po"]},
    {"name": "pods/eviction", "singularName": "", "namespaced": True, "kind": "Eviction", "group": "policy"},
    {"name": "secrets", "singularName": "", "namespaced": True, "kind": "Secret"},
]
VERBS = ["create", "delete", "get", "list", "patch", "update"]
REMOVE, REMOVED = "etcd.k3s.cattle.io/remove", "etcd.k3s.cattle.io/removed-node-name"


class Refusal(Exception):
    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "details": details, "code": code,
        }  # fmt: skip


@dataclass
class Kubernetes:
    """The cluster's state. grace: seconds on ``clock`` that a pod takes to stop. held: pods ("namespace/name") that do
    not stop. before_patch: called with a node's name before a patch is looked at.
    """

    grace: float = 1.0
    clock: float = 0.0
    nodes: dict[str, Object] = field(default_factory=dict)
    pods: dict[tuple[str, str], Object] = field(default_factory=dict)
    secrets: set[tuple[str, str]] = field(default_factory=set)
    budgets: dict[str, int] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)
    before_patch: Callable[[str], None] = lambda name: None
    lock: threading.RLock = field(default_factory=threading.RLock)
    _numbers: Any = field(default_factory=lambda: itertools.count(100))

    def node(self, name: str, *, server: bool = False, etcd: bool = False, ready: bool = True, **labels: str) -> None:
        roles = {"node-role.kubernetes.io/control-plane": "true"} if server else {}
        roles |= {"node-role.kubernetes.io/etcd": "true"} if etcd else {}
        notes = {"etcd.k3s.cattle.io/node-name": f"{name}-1a2b", "etcd.k3s.cattle.io/node-address": "10.0.0.1"}
        self.nodes[name] = {
            "kind": "Node", "apiVersion": "v1",
            "metadata": {
                "name": name, "uid": f"node-{next(self._numbers)}", "resourceVersion": str(next(self._numbers)),
                "labels": {"kubernetes.io/hostname": name, **roles, **labels},
                "annotations": {"node.alpha.kubernetes.io/ttl": "0", **(notes if etcd else {})},
            },
            "spec": {"podCIDR": "10.42.0.0/24"},
            "status": {
                "conditions": [
                    {"type": "MemoryPressure", "status": "False"},
                    {"type": "Ready", "status": "True" if ready else "Unknown"},
                ],
                "nodeInfo": {"kubeletVersion": "v1.32.4+k3s1", "machineID": f"machine-of-{name}"},
            },
        }  # fmt: skip
        self.secrets.add(("kube-system", f"{name}.node-password.k3s"))

    def ready(self, name: str, ready: bool) -> None:
        with self.lock:
            self.nodes[name]["status"]["conditions"][1]["status"] = "True" if ready else "Unknown"
            self._touch(self.nodes[name])

    def unschedulable(self, name: str, value: bool) -> None:
        """kubectl cordon, kubectl uncordon."""
        with self.lock:
            self.nodes[name]["spec"]["unschedulable"] = value
            self._touch(self.nodes[name])

    def deployment(self, name: str, replicas: int, *, namespace: str = "default", budget: int | None = None) -> None:
        """budget: how many of its pods must be running (a PodDisruptionBudget's minAvailable)."""
        if budget is not None:
            self.budgets[f"{namespace}/{name}"] = budget
        for _ in range(replicas):
            self._start(namespace, name)

    def pod(self, name: str, node: str, *, namespace: str = "default", kind: str = "", **more: Any) -> None:
        """kind: of its controller; "" for none."""
        meta = {
            "name": name, "namespace": namespace, "uid": f"pod-{next(self._numbers)}",
            "resourceVersion": str(next(self._numbers)), "labels": more.pop("labels", {}),
            "annotations": more.pop("annotations", {}),
        }  # fmt: skip
        if kind:
            owner = more.pop("owner", "owner-of-" + name)
            meta["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": True}]
        status = {"phase": more.pop("phase", "Running" if node else "Pending")}
        spec = {**({"nodeName": node} if node else {}), "volumes": more.pop("volumes", [])}
        assert not more, more
        self.pods[namespace, name] = {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": meta,
            "spec": spec,
            "status": status,
        }

    def stop(self, name: str) -> None:
        """A held pod's containers stop at last."""
        with self.lock:
            self.held.discard(name)

    def on(self, node: str) -> list[str]:
        """What runs there, as a kubelet would say."""
        with self.lock:
            self.tick()
            return sorted("/".join(key) for key, pod in self.pods.items() if pod["spec"].get("nodeName") == node)

    # What controllers and kubelets do by themselves

    def tick(self) -> None:
        for key, pod in list(self.pods.items()):
            gone = pod["spec"].get("nodeName") not in (None, *self.nodes)
            due = "deletionTimestamp" in pod["metadata"] and pod["due"] <= self.clock
            if gone or (due and "/".join(key) not in self.held):
                del self.pods[key]
        for pod in self.pods.values():
            if "nodeName" not in pod["spec"] and (node := self._place()):
                pod["spec"]["nodeName"] = node
                pod["status"]["phase"] = "Running"
        for name in list(self.nodes):
            self._member(self.nodes[name])

    def _start(self, namespace: str, deployment: str) -> None:
        template = "5d9c7b8f6d"
        name = f"{deployment}-{template}-{next(self._numbers)}"
        labels = {"app": deployment, "pod-template-hash": template}
        owner = f"{deployment}-{template}"
        self.pod(name, self._place(), namespace=namespace, kind="ReplicaSet", owner=owner, labels=labels)

    def _place(self) -> str:
        load = {
            name: sum(pod["spec"].get("nodeName") == name for pod in self.pods.values())
            for name, node in self.nodes.items()
            if not node["spec"].get("unschedulable") and node["status"]["conditions"][1]["status"] == "True"
        }
        return min(load, key=lambda name: load[name], default="")

    def _member(self, node: Object) -> None:
        """k3s's etcd member controller: takes a member out when asked to, and when most members answer."""
        notes = node["metadata"]["annotations"]
        if notes.get(REMOVE, "").lower() != "true" or REMOVED in notes:
            return
        members = [
            each for each in self.nodes.values() if "etcd.k3s.cattle.io/node-name" in each["metadata"]["annotations"]
        ]
        alive = [each for each in members if each["status"]["conditions"][1]["status"] == "True"]
        if len(alive) > len(members) // 2:
            notes[REMOVED] = notes.pop("etcd.k3s.cattle.io/node-name")
            notes.pop("etcd.k3s.cattle.io/node-address")
            self._touch(node)

    # The API

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Object | None) -> tuple[int, Object]:
        with self.lock:
            self.tick()
            self.requests.append((method, path))
            parts = path.strip("/").split("/")
            match method, parts:
                case "GET", ["version"]:
                    return 200, {"major": "1", "minor": "32", "gitVersion": "v1.32.4+k3s1"}
                case "GET", ["api"]:
                    return 200, {"kind": "APIVersions", "versions": ["v1"]}
                case "GET", ["apis"]:
                    return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
                case "GET", ["api", "v1"]:
                    resources = [each | {"verbs": VERBS} for each in RESOURCES]
                    return 200, {"kind": "APIResourceList", "groupVersion": "v1", "resources": resources}
                case "GET", ["api", "v1", "nodes" | "pods" as kind]:
                    return 200, self._list(kind, query)
                case "GET", ["api", "v1", "nodes", name]:
                    return 200, self._node(name)
                case "PATCH", ["api", "v1", "nodes", name]:
                    self.before_patch(name)
                    return 200, self._patch(name, body or {})
                case "DELETE", ["api", "v1", "nodes", name]:
                    self._node(name)
                    del self.nodes[name]
                    self.tick()
                    return 200, _success()
                case "DELETE", ["api", "v1", "namespaces", space, "secrets", name]:
                    if (space, name) not in self.secrets:
                        raise _missing("secrets", name)
                    self.secrets.discard((space, name))
                    return 200, _success()
                case "POST", ["api", "v1", "namespaces", space, "pods", name, "eviction"]:
                    return 201, self._evict(space, name, body or {})
            raise Refusal(404, "NotFound", "the server could not find the requested resource")

    def _node(self, name: str) -> Object:
        if name not in self.nodes:
            raise _missing("nodes", name)
        return self.nodes[name]

    def _list(self, kind: str, query: dict[str, list[str]]) -> Object:
        items = list(self.nodes.values()) if kind == "nodes" else list(self.pods.values())
        for selector in query.get("fieldSelector", []):
            key, _, value = selector.partition("=")
            if (kind, key) == ("nodes", "metadata.name"):
                items = [each for each in items if each["metadata"]["name"] == value]
            elif (kind, key) == ("pods", "spec.nodeName"):
                items = [each for each in items if each["spec"].get("nodeName", "") == value]
            else:
                raise Refusal(400, "BadRequest", f"field label not supported: {key}")
        bare = [
            {key: value for key, value in each.items() if key not in ("kind", "apiVersion", "due")} for each in items
        ]
        return {"kind": "NodeList" if kind == "nodes" else "PodList", "apiVersion": "v1", "metadata": {}, "items": bare}

    def _patch(self, name: str, patch: Object) -> Object:
        node = self._node(name)
        asked = patch.get("metadata", {}).pop("resourceVersion", None)
        if asked is not None and asked != node["metadata"]["resourceVersion"]:
            said = "the object has been modified; please apply your changes to the latest version and try again"
            what = f'Operation cannot be fulfilled on nodes "{name}": {said}'
            raise Refusal(409, "Conflict", what, name=name, kind="nodes")
        _merge(node, patch)
        self._touch(node)
        return node

    def _evict(self, space: str, name: str, eviction: Object) -> Object:
        if eviction.get("apiVersion") != "policy/v1" or eviction.get("kind") != "Eviction":
            raise Refusal(400, "BadRequest", f"cannot be handled as a Eviction: {eviction}")
        if (eviction["metadata"]["namespace"], eviction["metadata"]["name"]) != (space, name):
            raise Refusal(400, "BadRequest", "name in URL does not match name in Eviction object")
        pod = self.pods.get((space, name))
        if pod is None:
            raise _missing("pods", name)
        uid = eviction.get("deleteOptions", {}).get("preconditions", {}).get("uid")
        if uid is not None and uid != pod["metadata"]["uid"]:
            said = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {pod['metadata']['uid']}"
            raise Refusal(409, "Conflict", f'Operation cannot be fulfilled on pods "{name}": {said}')
        if "deletionTimestamp" in pod["metadata"]:
            return _success()
        app = f"{space}/{pod['metadata']['labels'].get('app', '')}"
        if app in self.budgets:
            healthy = sum(
                other["status"]["phase"] == "Running" and "deletionTimestamp" not in other["metadata"]
                for (where, _), other in self.pods.items()
                if f"{where}/{other['metadata']['labels'].get('app', '')}" == app
            )
            if healthy <= self.budgets[app]:
                cause = {
                    "reason": "DisruptionBudget",
                    "message": f"The disruption budget {app} needs {self.budgets[app]} healthy pods and has {healthy}",
                }
                said = "Cannot evict pod as it would violate the pod's disruption budget."
                raise Refusal(429, "TooManyRequests", said, causes=[cause])
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        pod["due"] = self.clock + self.grace
        self._touch(pod)
        if pod["metadata"].get("ownerReferences", [{}])[0].get("kind") == "ReplicaSet":
            self._start(space, pod["metadata"]["labels"]["app"])
        return _success()

    def _touch(self, thing: Object) -> None:
        thing["metadata"]["resourceVersion"] = str(next(self._numbers))


class Server:
    """The API over HTTP, on loopback where nothing else is said. ``down``: refuses all work, as an apiserver without
    its datastore does.
    """

    def __init__(self, cluster: Kubernetes, address: str = "127.0.0.1") -> None:
        self.cluster = cluster
        self.down = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                text = self.body()
                parts = urlsplit(self.path)
                try:
                    if outer.down:
                        raise Refusal(503, "ServiceUnavailable", "the server is currently unable to handle the request")
                    body = json.loads(text) if text else None
                    if self.command == "PATCH" and self.headers["Content-Type"] != "application/merge-patch+json":
                        raise Refusal(415, "UnsupportedMediaType", "only merge patches here")
                    code, made = outer.cluster.answer(self.command, parts.path, parse_qs(parts.query), body)
                except Refusal as refusal:
                    code, made = refusal.code, refusal.status
                data = json.dumps(made).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def body(self) -> bytes:
                """kubectl sends what it reads from a pipe in chunks."""
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                text = b""
                while size := int(self.rfile.readline(), 16):
                    text += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return text

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _merge(into: Object, patch: Object) -> None:
    """RFC 7386."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _success() -> Object:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 200}


def _missing(kind: str, name: str) -> Refusal:
    return Refusal(404, "NotFound", f'{kind} "{name}" not found', name=name, kind=kind)
