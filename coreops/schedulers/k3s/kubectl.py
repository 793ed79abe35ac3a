"""Talks with Kubernetes through ``k3s kubectl`` on a server: read, patch, evict, forget. Pure: makes steps, reads
records. What happens on the server is in ``kubectl.sh``.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from coreops.errors import HostFailed
from coreops.model import Record, ShellStep
from coreops.schedulers.k3s import kube
from coreops.schedulers.k3s.kube import NAME, KubeNode, Pod
from coreops.schedulers.k3s.marks import Patch
from coreops.schedulers.protocol import Elsewhere, Pause, Talk, ask

_SCRIPT = Path(__file__).with_name("kubectl.sh")
_TRIES = 20
_AWAY = (
    "connection refused",
    "was refused - did you specify the right host or port",
    "no such file or directory",  # the kubeconfig, which k3s writes when it starts
    "k3s: not found",
    "ServiceUnavailable",
    "i/o timeout",
    "TLS handshake timeout",
    "context deadline exceeded",
    "Client.Timeout exceeded",
    "unexpected EOF",
    "etcdserver:",
)


def look(node: str | None = None, *, pods: bool = True) -> Talk[tuple[tuple[KubeNode, ...], tuple[Pod, ...]]]:
    """All nodes and pods; or one node with the pods on it."""
    paths = ["/api/v1/nodes" + (f"?fieldSelector=metadata.name%3D{_name(node)}" if node else "")]
    if pods:
        paths.append("/api/v1/pods" + (f"?fieldSelector=spec.nodeName%3D{_name(node)}" if node else ""))
    record = yield from _do("get", "ask Kubernetes for its nodes", {"PATHS": " ".join(paths)}, query=True)
    answers = unpack(record)
    if len(answers) != len(paths):
        raise HostFailed("the answer of Kubernetes cannot be read", why=f"{len(answers)} of {len(paths)} answers came")
    return kube.nodes(answers[0]), kube.pods(answers[1]) if pods else ()


def unpack(record: Record) -> list[bytes]:
    """The lines that were packed. Raises HostFailed."""
    try:
        return gzip.decompress(record.stdout).splitlines()
    except (OSError, EOFError, zlib.error) as error:
        why = f"{record.truncated} bytes are missing" if record.truncated else str(error)
        raise HostFailed("the answer of Kubernetes cannot be read", why=why) from error


def one(node: str, *, pods: bool = True) -> Talk[tuple[KubeNode | None, tuple[Pod, ...]]]:
    """One node, None when Kubernetes does not know it, and the pods on it."""
    found, there = yield from look(node, pods=pods)
    return next((each for each in found if each.name == node), None), there


def change(node: str, make: Callable[[KubeNode], Patch | None], title: str) -> Talk[KubeNode]:
    """Patch a node as ``make`` says, for as long as somebody else is quicker. The node as it was found."""
    for _ in range(_TRIES):
        found, _pods = yield from one(node, pods=False)
        if found is None:
            raise HostFailed(
                f"Kubernetes does not know the node {node}",
                next="coreops bootstrap joins it; coreops nodes shows which there are",
            )
        patch = make(found)
        if patch is None:
            return found
        env = {"NODE": _name(node), "PATCH": json.dumps(patch)}
        record = yield from ask(_step("patch", title, env))
        if not _failed(record):
            return found
        if "(Conflict)" not in _said(record):
            raise _error(record, title)
        yield Pause((f"{node} to be left alone by others",), 0.2)
    raise HostFailed(f"could not {title}", why=f"{node} was changed by others, {_TRIES} times in a row")


def evict(pods: Sequence[Pod]) -> Talk[Mapping[str, str]]:
    """Ask for the eviction of each; for those that may not go now, the reason. Gone already is as good as evicted."""
    lines = "\n".join(f"{pod.namespace} {pod.name} {_uid(pod)}" for pod in pods)
    record = yield from _do("evict", f"evict {len(pods)} pods", {"PODS": lines})
    refused: dict[str, str] = {}
    for line in record.stdout.decode("utf-8", errors="replace").splitlines():
        pod, code, said = (*line.split("\t", 2), "", "")[:3]
        # Another pod has the name by now (Conflict), or none has (NotFound): what was to go is gone.
        if code == "0" or "(NotFound)" in said or "(Conflict)" in said:
            continue
        if "(TooManyRequests)" not in said:
            raise HostFailed(f"{pod} could not be evicted", why=said or f"kubectl ended with {code}")
        refused[pod] = said.removeprefix("Error from server (TooManyRequests): ")
    return refused


def forget(node: str) -> Talk[None]:
    """Delete a node and its password."""
    yield from _do("forget", f"delete the node {node}", {"NODE": _name(node)})


def _step(function: str, title: str, env: Mapping[str, str], *, query: bool = False) -> ShellStep:
    script = f"{_SCRIPT.read_text(encoding='utf-8')}\n{function}\n"
    return ShellStep(id=function, title=title, act=script, env=env, timeout=300.0, in_check=query, changes=not query)


def _do(function: str, title: str, env: Mapping[str, str], *, query: bool = False) -> Talk[Record]:
    record = yield from ask(_step(function, title, env, query=query))
    if _failed(record):
        raise _error(record, title)
    return record


def _failed(record: Record) -> bool:
    return record.state in ("failed", "unknown")


def _said(record: Record) -> str:
    lines = record.stderr.decode("utf-8", errors="backslashreplace").strip().splitlines()
    return lines[-1] if lines else f"exit {record.rc}"


def _error(record: Record, title: str) -> HostFailed:
    said = _said(record)
    kind = Elsewhere if any(word in said for word in _AWAY) else HostFailed
    return kind(f"could not {title}", why=said, next="look at k3s there: systemctl status k3s, k3s kubectl get nodes")


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise HostFailed(f"{text!r:.80} cannot be the name of a node in Kubernetes")
    return text


def _uid(pod: Pod) -> str:
    if not NAME.fullmatch(pod.uid):
        raise HostFailed(f"the pod {pod} has an impossible uid", why=f"found {pod.uid!r:.80}")
    return pod.uid
