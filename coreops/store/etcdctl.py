"""What to ask etcd, and how to read its answers: builds steps that run etcdctl on a node with the node's own client
certificate, parses etcdctl's JSON. Knows no engine. Member ids are uint64; etcdctl takes them in hexadecimal.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coreops.model import ShellStep
from coreops.shell.quote import q

PROGRAM = "/opt/etcd/current/etcdctl"
CERTIFICATES = ("--cacert=/etc/etcd/pki/ca.crt", "--cert=/etc/etcd/pki/client.crt", "--key=/etc/etcd/pki/client.key")

# etcd's answers that mean "not yet": its strict check wants every voter connected for 5 s.
RETRY = (
    "etcdserver: unhealthy cluster",
    "can only promote a learner member which is in sync with leader",
    "etcdserver: re-configuration failed due to not enough started members",
    "etcdserver: too many learner members in cluster",
    "etcdserver: request timed out",
    "etcdserver: leader changed",
    "etcdserver: no leader",
    "context deadline exceeded",
)


@dataclass(frozen=True, slots=True)
class MemberInfo:
    """A line of the member list. ``name`` is empty until the member has started for the first time."""

    id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...] = ()
    learner: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """What one endpoint says of itself."""

    cluster_id: int
    member_id: int
    leader: int
    version: str
    learner: bool = False
    raft_index: int = 0
    revision: int = 0
    db_size: int = 0
    errors: tuple[str, ...] = ()


def line(*arguments: str, endpoints: Sequence[str], certificates: bool = True, timeout: int = 5) -> str:
    """One quoted etcdctl command line."""
    words = [PROGRAM, *(CERTIFICATES if certificates else CERTIFICATES[:1])]
    words += [f"--endpoints={','.join(endpoints)}", "--dial-timeout=3s", f"--command-timeout={timeout}s", *arguments]
    return "ETCDCTL_API=3 " + " ".join(q(word) for word in words)


def step(id: str, title: str, *arguments: str, endpoints: Sequence[str], timeout: int = 5) -> ShellStep:
    """A step that runs one etcdctl command and always acts."""
    command = line(*arguments, endpoints=endpoints, timeout=timeout)
    return ShellStep(id=id, title=title, act=command, timeout=timeout + 15.0)


def member_add(id: str, name: str, peer_url: str, endpoints: Sequence[str]) -> ShellStep:
    """Add a learner, unless a member with this URL is listed already (the answer to an earlier try may be lost)."""
    listed = line("member", "list", endpoints=endpoints)
    return ShellStep(
        id=id,
        title=f"add {name} as a learner",
        probe=f"{listed} | grep -F -q -- {q(peer_url + ',')}",
        act=line("member", "add", name, "--learner", f"--peer-urls={peer_url}", endpoints=endpoints),
        timeout=20.0,
    )


def member_remove(id: str, member: int, endpoints: Sequence[str]) -> ShellStep:
    """Remove a member, unless it is gone already."""
    listed = line("member", "list", endpoints=endpoints)
    return ShellStep(
        id=id,
        title=f"remove member {member:x}",
        probe=f"list=$({listed}) || exit 2; ! printf '%s\\n' \"$list\" | grep -q '^{member:x},'",
        act=line("member", "remove", f"{member:x}", endpoints=endpoints),
        timeout=20.0,
    )


def member_promote(id: str, member: int, endpoints: Sequence[str]) -> ShellStep:
    """Turn a learner into a voter."""
    return step(id, f"promote member {member:x}", "member", "promote", f"{member:x}", endpoints=endpoints)


def move_leader(id: str, to: int, endpoints: Sequence[str]) -> ShellStep:
    """Hand leadership over. ``endpoints`` must contain the present leader's."""
    return step(id, f"move the leadership to {to:x}", "move-leader", f"{to:x}", endpoints=endpoints)


def write_read(id: str, key: str, value: str, endpoint: str) -> ShellStep:
    """A linearizable write through one endpoint, read back and deleted."""
    put = line("put", key, value, endpoints=[endpoint])
    get = line("get", "--print-value-only", key, endpoints=[endpoint])
    delete = line("del", key, endpoints=[endpoint])
    check = f'[ "$found" = {q(value)} ] || {{ echo "read back: $found" >&2; exit 1; }}'
    script = f"{put} >/dev/null && found=$({get}) || exit 1\n{check}\n{delete} >/dev/null"
    return ShellStep(id=id, title=f"write and read through {endpoint}", act=script, changes=False, timeout=60.0)


def without_certificate(id: str, endpoint: str) -> ShellStep:
    """Succeeds when the endpoint refuses a client that shows no certificate."""
    command = line("get", "coreops/verify", endpoints=[endpoint], certificates=False, timeout=3)
    script = f"if {command} >/dev/null 2>&1; then echo 'served a client without a certificate' >&2; exit 1; fi"
    return ShellStep(id=id, title=f"{endpoint} refuses clients without a certificate", act=script, changes=False)


def snapshot(id: str, path: str, endpoint: str) -> ShellStep:
    """Save a snapshot on the node, once."""
    save = line("snapshot", "save", path, endpoints=[endpoint], timeout=300)
    script = f"umask 077 && mkdir -p -- {q(path.rpartition('/')[0])} && {save}"
    return ShellStep(id=id, title=f"snapshot to {path}", probe=f"[ -s {q(path)} ]", act=script, timeout=330.0)


def wants_retry(text: str) -> bool:
    """Is this failure one that passes by itself?"""
    return any(message in text for message in RETRY)


def parse_members(text: str) -> tuple[MemberInfo, ...]:
    """Read ``member list -w json``. Raises ValueError."""
    return tuple(
        MemberInfo(
            int(m["ID"]),
            str(m.get("name", "")),
            tuple(m.get("peerURLs", ())),
            tuple(m.get("clientURLs", ())),
            bool(m.get("isLearner", False)),
        )
        for m in _json(text, dict).get("members", ())
    )


def parse_status(text: str) -> Status | None:
    """Read ``endpoint status -w json`` of one endpoint; None when it did not answer. Raises ValueError."""
    entries = _json(text, list)
    if not entries:
        return None
    status = entries[0]["Status"]
    header = status["header"]
    return Status(
        cluster_id=int(header["cluster_id"]),
        member_id=int(header["member_id"]),
        leader=int(status.get("leader", 0)),
        version=str(status.get("version", "")),
        learner=bool(status.get("isLearner", False)),
        raft_index=int(status.get("raftIndex", 0)),
        revision=int(header.get("revision", 0)),
        db_size=int(status.get("dbSize", 0)),
        errors=tuple(str(e) for e in status.get("errors", ())),
    )


def parse_health(text: str) -> dict[str, bool]:
    """Read ``endpoint health -w json``: endpoint -> healthy. Raises ValueError."""
    return {str(entry["endpoint"]): bool(entry["health"]) for entry in _json(text, list)}


def _json(text: str, kind: type) -> Any:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not etcdctl's JSON: {text[:80]!r}") from error
    if not isinstance(found, kind):
        raise ValueError(f"not the answer expected of etcdctl: {text[:80]!r}")
    return found
