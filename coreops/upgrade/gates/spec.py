"""What a gate is, and how one is written: ``upgrade_gates`` in the inventory or in the vars of the hooks' playbook.

Pure. One entry of the list is one gate: a mapping with exactly one kind, and name, when and timeout beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coreops.errors import InputError, did_you_mean

Moment = Literal["before", "after"]
Verdict = Literal["ok", "wait", "bad"]

_COMMON = ("name", "when", "timeout")
_LONGEST = 600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one gate said, once. reason: empty when ok."""

    verdict: Verdict = "ok"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What all gates have. moments: before the node goes down, after it came back. timeout: seconds for one sample."""

    name: str
    moments: frozenset[Moment]
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitGate(Gate):
    """A systemd unit is active on the node."""

    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpGate(Gate):
    """The node can open a TCP connection."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGate(Gate):
    """A URL answers with one of these status codes, and with this text in its body."""

    url: str
    status: tuple[int, ...]
    contains: str
    from_controller: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGate(Gate):
    """A piece of sh exits 0 on the node."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusGate(Gate):
    """A query answers as expected. expect "empty": nothing fires; "nonzero": something is there, and no value is 0."""

    url: str
    query: str
    expect: Literal["empty", "nonzero"]


def parse(value: object, where: object = None) -> tuple[Gate, ...]:
    """Read a list of gates. Raises InputError at ``where`` that names the gate."""
    if not isinstance(value, list):
        raise InputError(
            "upgrade_gates must be a list", where=where, why=f"found {value!r:.80}", next="begin each gate with '- '"
        )
    found: dict[str, Gate] = {}
    for number, entry in enumerate(value, 1):
        gate = _gate(entry, number, where)
        if gate.name in found:
            raise InputError(f"two gates are named {gate.name!r}", where=where, next="give one of them another name")
        found[gate.name] = gate
    return tuple(found.values())


def _gate(entry: object, number: int, where: object) -> Gate:
    label = f"gate {number} of upgrade_gates"
    if not isinstance(entry, Mapping):
        raise InputError(f"{label} must be a mapping", where=where, why=f"found {entry!r:.80}", next=_kinds_text())
    if isinstance(entry.get("name"), str):
        label += f" ({entry['name']:.60})"
    for key in entry:
        if key not in _KINDS and key not in _COMMON:
            hint = did_you_mean(str(key), [*_KINDS, *_COMMON]) or _kinds_text()
            raise InputError(f"{label}: unknown key {key!r}", where=where, next=hint)
    kinds = [key for key in entry if key in _KINDS]
    if len(kinds) != 1:
        what = f"{label} has {' and '.join(kinds)}" if kinds else f"{label} asks nothing"
        raise InputError(what, where=where, next=_kinds_text())
    kind = _KINDS[kinds[0]]
    fields = _fields(entry[kinds[0]], kinds[0], kind, label, where)
    common = {
        "name": (_text, None),
        "when": (_moments, frozenset({"before", "after"})),
        "timeout": (_seconds, 10.0 if kinds[0] != "command" else 60.0),
    }
    shared = _read({key: entry[key] for key in _COMMON if key in entry}, common, "", label, where)
    name = shared["name"] or f"{kinds[0]} {kind.title(fields)}"
    return kind.make(name=name, moments=shared["when"], timeout=shared["timeout"], **fields)


def _fields(value: object, word: str, kind: _Kind, label: str, where: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        if kind.short is None:
            known = ", ".join(kind.fields)
            raise InputError(f"{label}: {word} must be a mapping of {known}", where=where, why=f"found {value!r:.80}")
        value = {kind.short: value}
    for key in value:
        if key not in kind.fields:
            hint = did_you_mean(str(key), kind.fields) or f"known: {', '.join(kind.fields)}"
            raise InputError(f"{label}: {word} has no {key!r}", where=where, next=hint)
    found = _read(value, kind.fields, word, label, where)
    return {kind.renamed.get(key, key): read for key, read in found.items()}


def _read(
    value: Mapping[Any, Any], readers: Mapping[str, tuple[Reader, Any]], word: str, label: str, where: object
) -> dict[str, Any]:
    """Every field read, or its default. Raises InputError for one that is missing or not usable."""
    found: dict[str, Any] = {}
    for key, (reader, default) in readers.items():
        shown = f"{word}.{key}" if word not in ("", key) else key
        if key not in value:
            if default is _NEEDED:
                raise InputError(f"{label}: {shown} is missing", where=where)
            found[key] = default
            continue
        try:
            found[key] = reader(value[key])
        except ValueError as error:
            raise InputError(f"{label}: {shown} is not usable", where=where, why=str(error)) from error
    return found


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError(f"it must be a text, found {value!r}")
    return value


def _line(value: object) -> str:
    text = _text(value)
    if "\n" in text or "\r" in text:
        raise ValueError("it must be a text of one line")
    return text


def _moments(value: object) -> frozenset[Moment]:
    moments: dict[object, frozenset[Moment]] = {
        "before": frozenset({"before"}),
        "after": frozenset({"after"}),
        "both": frozenset({"before", "after"}),
    }
    if not isinstance(value, str) or value not in moments:
        raise ValueError(f"it must be before, after or both, found {value!r}")
    return moments[value]


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST:
        raise ValueError(f"it must be a number of seconds up to {_LONGEST:.0f}, found {value!r}")
    return float(value)


def _unit(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.[a-z]+", text, re.ASCII):
        raise ValueError(f"it must be a unit's whole name, like app.service, found {text!r}")
    return text


def _host(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9._:%][A-Za-z0-9._:%-]*", text, re.ASCII):
        raise ValueError(f"it must be a host name or an address, found {text!r}")
    return text


def _port(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,5}", str(value)) or not 0 < int(str(value)) < 65536:
        raise ValueError(f"it must be a port, found {value!r}")
    return int(str(value))


def _url(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"https?://[!-~]+", text) or not re.match(r"https?://[^/?#]*[A-Za-z0-9\]]", text):
        raise ValueError(f"it must be a URL that begins with http:// or https://, found {shown_url(text)!r}")
    return text


def shown_url(url: str) -> str:
    """A URL as it may be shown: without user, password and query, which may hold secrets."""
    return re.sub(r"^(https?://)[^/?#]*@", r"\1", url).split("?")[0]


def _status(value: object) -> tuple[int, ...]:
    codes = value if isinstance(value, list) else [value]
    if not codes or not all(isinstance(each, int) and 100 <= each < 600 for each in codes):
        raise ValueError(f"it must be an HTTP status or a list of them, found {value!r}")
    return tuple(codes)


def _controller(value: object) -> bool:
    if value not in ("node", "controller"):
        raise ValueError(f"it must be node or controller, found {value!r}")
    return value == "controller"


def _expect(value: object) -> str:
    if value not in ("empty", "nonzero"):
        raise ValueError(f"it must be empty or nonzero, found {value!r}")
    return str(value)


Reader = Callable[[object], Any]
_NEEDED = object()


@dataclass(frozen=True, slots=True)
class _Kind:
    """fields: key -> reader and default. short: the field that is meant when a plain value stands for the mapping."""

    make: Callable[..., Gate]
    fields: Mapping[str, tuple[Reader, Any]]
    title: Callable[[Mapping[str, Any]], str]
    short: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)


_KINDS: Mapping[str, _Kind] = {
    "unit": _Kind(UnitGate, {"unit": (_unit, _NEEDED)}, lambda own: str(own["unit"]), "unit"),
    "tcp": _Kind(
        TcpGate,
        {"host": (_host, "127.0.0.1"), "port": (_port, _NEEDED)},
        lambda own: f"{own['host']}:{own['port']}",
    ),
    "http": _Kind(
        HttpGate,
        {
            "url": (_url, _NEEDED),
            "status": (_status, (200,)),
            "contains": (_line, ""),
            "from": (_controller, False),
        },
        lambda own: shown_url(own["url"]),
        "url",
        {"from": "from_controller"},
    ),
    "command": _Kind(
        CommandGate,
        {"command": (_text, _NEEDED)},
        lambda own: str(own["command"]).strip().splitlines()[0][:60],
        "command",
    ),
    "prometheus": _Kind(
        PrometheusGate,
        {"url": (_url, _NEEDED), "query": (_text, _NEEDED), "expect": (_expect, "empty")},
        lambda own: " ".join(str(own["query"]).split())[:60],
    ),
}


def _kinds_text() -> str:
    return f"a gate has one of {', '.join(_KINDS)}, and may have {', '.join(_COMMON)}"
