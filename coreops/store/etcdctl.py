"""What to ask etcd, and how to read its answers: builds steps that run etcdctl on a node with the node's own client
certificate, parses etcdctl's JSON. Knows no engine. Member ids are uint64; etcdctl takes them in hexadecimal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
    raft_applied: int = 0
    revision: int = 0
    db_size: int = 0
    errors: tuple[str, ...] = ()


def line(*arguments: str, endpoints: Sequence[str], certificates: bool = True, timeout: int = 5) -> str:
    """One quoted etcdctl command line."""
    words = [PROGRAM, *(CERTIFICATES if certificates else CERTIFICATES[:1])]
    words += [f"--endpoints={','.join(endpoints)}", "--dial-timeout=3s", f"--command-timeout={timeout}s", *arguments]
    return "ETCDCTL_API=3 " + " ".join(q(word) for word in words)


def change(
    id: str, title: str, *arguments: str, endpoints: Sequence[str], already: str, seconds: int = 60
) -> ShellStep:
    """A step that changes the membership; it tries again, on the node, while etcd says "not yet".

    already: what etcd answers when an earlier try, whose answer was lost, has done it.
    """
    again = "|".join(f"*{q(message)}*" for message in RETRY)
    script = f"""end=$(($(date +%s) + {seconds}))
until said=$({line(*arguments, endpoints=endpoints)} 2>&1); do
    case $said in
        {again}) ;;
        *{q(already)}*) exit 0 ;;
        *) printf '%s\\n' "$said" >&2; exit 1 ;;
    esac
    [ "$(date +%s)" -lt "$end" ] || {{ printf '%s\\n' "$said" >&2; exit 1; }}
    sleep 1
done
printf '%s\\n' "$said"
"""
    return ShellStep(id=id, title=title, act=script, timeout=seconds + 30.0)


def member_add(id: str, name: str, peer_url: str, endpoints: Sequence[str]) -> ShellStep:
    """Add a learner."""
    words = ("member", "add", name, "--learner", f"--peer-urls={peer_url}")
    return change(id, f"add {name} as a learner", *words, endpoints=endpoints, already="Peer URLs already exists")


def member_remove(id: str, member: int, endpoints: Sequence[str]) -> ShellStep:
    """Remove a member."""
    words = ("member", "remove", f"{member:x}")
    return change(id, f"remove member {member:x}", *words, endpoints=endpoints, already="member not found")


def member_promote(id: str, member: int, endpoints: Sequence[str]) -> ShellStep:
    """Turn a learner into a voter, as soon as it has caught up."""
    words = ("member", "promote", f"{member:x}")
    already = "can only promote a learner member"
    return change(id, f"promote member {member:x}", *words, endpoints=endpoints, already=already, seconds=300)


def move_leader(id: str, to: int, endpoints: Sequence[str]) -> ShellStep:
    """Hand leadership over. ``endpoints`` must contain the present leader's."""
    title = f"move the leadership to {to:x}"
    return change(id, title, "move-leader", f"{to:x}", endpoints=endpoints, already="no leader endpoint given")


def health(id: str, endpoints: Sequence[str]) -> ShellStep:
    """Ask endpoints whether they serve; the answer is JSON even when they do not."""
    command = line("-w", "json", "endpoint", "health", endpoints=endpoints)
    return ShellStep(id=id, title="ask the other members", probe=f"{command} 2>/dev/null || :", timeout=60.0)


def write_read(id: str, key: str, value: str, endpoint: str) -> ShellStep:
    """A linearizable write through one endpoint, read back and deleted."""
    put = line("put", "--", key, value, endpoints=[endpoint])
    get = line("get", "--print-value-only", "--", key, endpoints=[endpoint])
    delete = line("del", "--", key, endpoints=[endpoint])
    check = f'[ "$found" = {q(value)} ] || {{ echo "read back: $found" >&2; exit 1; }}'
    script = f"{put} >/dev/null && found=$({get}) || exit 1\n{check}\n{delete} >/dev/null"
    return ShellStep(id=id, title=f"write and read through {endpoint}", act=script, changes=False, timeout=60.0)


def without_certificate(id: str, endpoint: str) -> ShellStep:
    """Succeeds when the endpoint refuses a client that shows no certificate."""
    command = line("get", "coreops/verify", endpoints=[endpoint], certificates=False, timeout=2)
    script = f"if {command} >/dev/null 2>&1; then echo 'served a client without a certificate' >&2; exit 1; fi"
    return ShellStep(id=id, title=f"{endpoint} refuses clients without a certificate", act=script, changes=False)


def snapshot(id: str, path: str, endpoint: str) -> ShellStep:
    """Save a snapshot on the node, once."""
    save = line("snapshot", "save", path, endpoints=[endpoint], timeout=300)
    script = f"umask 077 && mkdir -p -- {q(path.rpartition('/')[0])} && {save}"
    return ShellStep(id=id, title=f"snapshot to {path}", probe=f"[ -s {q(path)} ]", act=script, timeout=330.0)


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
    return next(iter(parse_statuses(text)), None)


def parse_statuses(text: str) -> tuple[Status, ...]:
    """Read ``endpoint status -w json``: those endpoints that answered. Raises ValueError."""
    return tuple(status_of(entry["Status"]) for entry in _json(text, list))


def status_of(status: Mapping[str, Any]) -> Status:
    """Read what one endpoint says of itself. Raises ValueError, KeyError, TypeError."""
    header = status["header"]
    return Status(
        cluster_id=int(header["cluster_id"]),
        member_id=int(header["member_id"]),
        leader=int(status.get("leader", 0)),
        version=str(status.get("version", "")),
        learner=bool(status.get("isLearner", False)),
        raft_index=int(status.get("raftIndex", 0)),
        raft_applied=int(status.get("raftAppliedIndex", 0)),
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
