"""What to ask a node about itself and its etcd, and the answer as data. Knows the probe script; no engine, no rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from coreops.errors import HostFailed
from coreops.identity import identity
from coreops.model import Record, ShellStep
from coreops.store import etcdctl, gateway
from coreops.store.cluster import Member
from coreops.store.etcdctl import MemberInfo, Status
from coreops.store.gateway import Request

T = TypeVar("T")

STEP = "look"
_SCRIPT = Path(__file__).with_name("scripts") / "observe.sh"


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a node's clock may be off the controller's, in seconds: the truth lies between low and high."""

    low: float
    high: float

    @property
    def uncertainty(self) -> float:
        return self.high - self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One host as it was seen.

    data: the member's data folder holds a member. formed: etcd has had quorum on this node before. stale: what etcd
    started with is not what is installed now. first: the members it was told of when it was first started.
    """

    host: str
    uid: int = 0
    arch: str = ""
    os: str = ""
    hostname: str = ""
    machine_id: str = ""
    boot_id: str = ""
    macs: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    systemd: int | None = None
    free_opt: int | None = None
    free_data: int | None = None
    listening: frozenset[int] = frozenset()
    clock: Clock | None = None
    unit: str = ""
    active: bool = False
    data: bool = False
    other_data: tuple[str, ...] = ()
    formed: bool = False
    token: str = ""
    first: str = ""
    release: str = ""
    stale: bool = False
    healthy: bool = False
    status: Status | None = None
    members: tuple[MemberInfo, ...] | None = None
    log: tuple[str, ...] = ()


def step(member: Member, wait: int = 0) -> ShellStep:
    """The question. ``wait``: seconds the node may wait for its member to become healthy before it answers."""
    env = {
        "DATA_DIR": member.data_dir,
        "CLIENT_PORT": str(member.client_port),
        "PEER_PORT": str(member.peer_port),
        "WAIT": str(wait),
    }
    own = f"https://127.0.0.1:{member.client_port}"
    asked = gateway.script(
        [
            Request("status", own + gateway.STATUS, "{}"),
            Request("health", own + gateway.HEALTH),
            Request("members", own + gateway.MEMBERS, '{"linearizable":true}'),
        ]
    )
    script = identity.script() + asked + _SCRIPT.read_text(encoding="utf-8")
    return ShellStep(id=STEP, title="look at etcd", probe=script, env=env, timeout=120.0 + wait)


def time_step() -> ShellStep:
    """The question what time it is on the node, and nothing else: its answer is quick."""
    return ShellStep(id=STEP, title="look at the clock", probe="date +%s.%N", timeout=60.0)


def with_time(node: Node, record: Record, sent: float, received: float) -> Node:
    """The same node with what it says to ``time_step``."""
    if record.state != "ok":
        raise HostFailed(
            "the node's clock could not be read", where=node.host, why=record.stderr.decode(errors="replace")
        )
    return replace(node, clock=_clock(record.stdout.decode(errors="replace").strip(), sent, received))


def parse(host: str, record: Record, sent: float, received: float) -> Node:
    """Read the answer. ``sent`` and ``received``: the controller's clock around the exchange."""
    if record.state != "ok":
        raise HostFailed("the node could not be looked at", where=host, why=record.stderr.decode(errors="replace"))
    lines: dict[str, list[str]] = {}
    for text in record.stdout.decode("utf-8", errors="replace").splitlines():
        key, _, value = text.partition(" ")
        lines.setdefault(key, []).append(value.strip())
    values = {key: found[-1] for key, found in lines.items()}
    unit = dict(part.split("=", 1) for part in values.get("unit", "").split() if "=" in part)
    running = unit.get("ActiveState") == "active"
    known = identity.of(lines)
    moving = unit.get("ActiveState") in ("activating", "reloading", "deactivating")
    return Node(
        host=host,
        uid=_number(values.get("uid")) or 0,
        arch=values.get("arch", ""),
        os=" ".join(part for part in (values.get("os"), values.get("os_version")) if part),
        hostname=values.get("hostname", ""),
        machine_id=values.get("machine_id", ""),
        boot_id=values.get("boot_id", ""),
        macs=known.macs,
        addresses=known.addresses,
        systemd=_number(values.get("systemd")),
        free_opt=_number(values.get("free_opt")),
        free_data=_number(values.get("free_data")),
        listening=frozenset(int(port, 16) for port in values.get("listening", "").split()),
        clock=_clock(values.get("time", ""), sent, received),
        unit=unit.get("FragmentPath", ""),
        active=running or (moving and unit.get("SubState") != "auto-restart"),
        data="data" in values,
        other_data=tuple(lines.get("other_data", ())),
        formed="formed" in values,
        token=values.get("token", ""),
        first=values.get("first", ""),
        release=values.get("release", ""),
        stale=running and values.get("fingerprint") != values.get("started_with"),
        healthy=_healthy(values.get("health", "")),
        status=_answer(etcdctl.parse_status, values.get("status", "")),
        members=_answer(etcdctl.parse_members, values.get("members", "")),
        log=tuple(lines.get("log", ())),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _clock(text: str, sent: float, received: float) -> Clock | None:
    seconds, _, fraction = text.partition(".")
    if not seconds.isdigit():
        return None
    if fraction.isdigit():
        told = float(text)
        return Clock(told - received, told - sent)
    return Clock(int(seconds) - received, int(seconds) + 1 - sent)  # date without %N: somewhere in this second


def _healthy(text: str) -> bool:
    found = _answer(etcdctl.parse_health, text)
    return bool(found) and all((found or {}).values())


def _answer(parse: Callable[[str], T], text: str) -> T | None:
    """etcdctl prints nothing, or no JSON, when etcd did not answer: that is an observation, not an error."""
    try:
        return parse(text)
    except (ValueError, KeyError, TypeError):
        return None
