"""The ledger's format, version 1: keys and JSON values (docs/lock-format.md). Pure; the same in etcd and on nodes.

A value of a later format is shown as far as it can be read, and never changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from coreops.upgrade.ledger.protocol import FORMAT, AuditRecord, Denial, Lease

ROOT = "/coreops/upgrade/v1/"
LEASES, DENIED, AUDIT, HEARTBEATS = "leases", "denied", "audit", "heartbeats"
FOLDERS = (LEASES, DENIED, AUDIT, HEARTBEATS)

_UNREADABLE = "somebody whose lease cannot be read"
_TEXTS = ("node", "run", "owner", "home", "session", "boot_id", "reason", "since", "renewed", "phase")
_NUMBERS = ("pid", "token")


def key(folder: str, name: str) -> str:
    """A key below ``ROOT``: ASCII without blanks and quotes, usable as a path."""
    safe = quote(name, safe="@+:=~", encoding="utf-8", errors="surrogateescape")
    return f"{folder}/{'%2E' + safe[1:] if safe.startswith('.') else safe}"


def name(key: str) -> str:
    """The name a key was made of."""
    return unquote(key.partition("/")[2], encoding="utf-8", errors="surrogateescape")


def write_lease(lease: Lease) -> str:
    """token 0 is left out: then the token is the mark (etcd: mod revision) that the value gets when it is written."""
    known: dict[str, Any] = {"v": FORMAT}
    known |= {field: getattr(lease, field) for field in (*_TEXTS, *_NUMBERS)}
    if not lease.token:
        del known["token"]
    return dump({**lease.extra, **known})


def read_lease(key: str, value: str, mark: int) -> Lease:
    """Read what stands under a key; what is no lease becomes one that nobody can take over."""
    try:
        found = json.loads(value)
        if not isinstance(found, dict):
            raise ValueError("no object")
        known: dict[str, Any] = {field: str(found.pop(field, "")) for field in _TEXTS}
        known |= {field: int(found.pop(field, 0)) for field in _NUMBERS}
        version = int(found.pop("v", 0))
    except (ValueError, TypeError, RecursionError):
        return Lease(node=name(key), run="", owner=_UNREADABLE, reason=value[:200], token=mark)
    known |= {"node": name(key), "token": known["token"] or mark}
    return Lease(**known, format=version, extra=found)


def dump_lease(lease: Lease) -> dict[str, Any]:
    """A lease as an audit record keeps it."""
    return plain(write_lease(lease))


def plain(value: str) -> dict[str, Any]:
    """A value as an object; {} when it is none."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_denial(denial: Denial) -> str:
    return dump({"v": FORMAT, **asdict(denial)})


def read_denial(key: str, value: str) -> Denial:
    """What cannot be read denies all the same."""
    found = plain(value)
    texts = {field: str(found.get(field, "")) for field in ("node", "reason", "by", "run", "at")}
    if not found:
        texts["reason"] = "(the denial cannot be read)"
    return Denial(version=name(key), **texts)


def write_audit(record: AuditRecord) -> str:
    return dump({"v": FORMAT, **asdict(record)})


def read_audit(key: str, value: str) -> AuditRecord:
    found = plain(value)
    texts = {field: str(found.get(field, "")) for field in ("what", "subject", "by", "run", "at", "reason")}
    had = found.get("had")
    return AuditRecord(**texts, had=had if isinstance(had, dict) else {})


def session(value: str) -> str:
    """Who signed a lease or a heartbeat."""
    return str(plain(value).get("session", ""))


def dump(value: Mapping[str, Any]) -> str:
    """JSON on one line, all ASCII: it goes through sh, etcdctl and files unharmed."""
    return json.dumps(value, ensure_ascii=True, sort_keys=False)


def utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def since(text: str, now: datetime) -> float:
    """Seconds from a written time until now; 0 when it cannot be read or lies ahead (another clock)."""
    try:
        then = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return 0.0
    return max(0.0, (now - then).total_seconds())
