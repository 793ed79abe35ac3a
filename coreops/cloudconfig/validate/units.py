"""Rules on coreos.units."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.tree import Value
from coreops.model import Position

_NETWORK = ("network", "netdev", "link")
_SYSTEM = ("service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope")
SUFFIXES = (*_SYSTEM, *_NETWORK)
IGNITION_SUFFIXES = (*_SYSTEM, "snapshot")
_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]+")
LONGEST = 255
_CONFIGURED = {"etcd.service": "etcd", "etcd2.service": "etcd2", "fleet.service": "fleet"}
_INSTALL = re.compile(r"(?m)^\s*\[Install\]\s*$")


def names(document: Document) -> Iterator[Finding]:
    """Names that systemd refuses, of units and of drop-ins."""
    for unit in document.units():
        name = unit.get("name")
        if name is None or not name.text:
            if name or not document.shape:  # a shape knows which keys are needed
                yield Finding((name or unit).at, "error", "a unit without a name")
        elif why := _wrong(name.text, document.target.suffixes):
            yield Finding(name.at, "error", f"invalid unit name {name.text!r}", why)
        for drop_in in document.drop_ins(unit):
            own = drop_in.get("name")
            if own is None or not own.text:
                if own or not document.shape:
                    yield Finding((own or drop_in).at, "error", "a drop-in without a name")
            elif "/" in own.text or not own.text.endswith(".conf"):
                why = "systemd reads only names that end in .conf, without a folder"
                yield Finding(own.at, "error", f"invalid drop-in name {own.text!r}", why)


def _wrong(name: str, suffixes: tuple[str, ...]) -> str:
    if len(name) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    stem, dot, suffix = name.rpartition(".")
    if suffix in _NETWORK and suffix not in suffixes:
        return "networkd's files are no units: write it to /etc/systemd/network"
    if not dot or suffix not in suffixes:
        return f"it must end in one of .{', .'.join(suffixes)}"
    if not stem or stem.startswith("@"):
        return "there is nothing before the suffix"
    if suffix in _NETWORK:
        return "a / in it" if "/" in name else ""
    bad = sorted(set(_NAME.sub("", name)))
    return f"{' '.join(map(repr, bad))} is not allowed in it" if bad else ""


def duplicates(document: Document) -> Iterator[Finding]:
    """A unit that is there twice."""
    first: dict[str, Value] = {}
    for unit in document.units():
        name = unit.get("name")
        if not name or not name.text:
            continue
        old = first.setdefault(name.text, unit)
        if old is unit:
            continue
        both = bool(old.texts("content") and unit.texts("content"))
        why = f"the first is on line {old.at.line}" + ("; the content of this one wins" if both else "")
        yield Finding(name.at, "error" if both else "warning", f"duplicate unit {name.text!r}", why)


def install(document: Document) -> Iterator[Finding]:
    """Units that are enabled and do not say where."""
    for unit in document.units():
        key, enable = document.target.content, document.target.enable
        content, name = unit.texts(key), unit.texts("name")
        if not content or not unit.true(enable) or _is_network(name):
            continue
        parts = (content, *(drop_in.texts(key) for drop_in in document.drop_ins(unit)))
        if not any(_INSTALL.search(part) for part in parts):
            yield Finding(
                _at(unit, enable),
                "warning",
                f"{name} is enabled, but has no [Install] section",
                "enabling it does nothing",
                "add [Install] with WantedBy=multi-user.target",
            )


def enabled_before_configured(document: Document) -> Iterator[Finding]:
    """enable on what coreos-cloudinit configures: it is started before its configuration is there."""
    for unit in document.units():
        name = unit.texts("name")
        section = _CONFIGURED.get(name)
        if section and unit.true("enable"):
            configured = document.root.get("coreos", section) is not None
            yield Finding(
                _at(unit, "enable"),
                "error" if configured else "warning",
                f"{name} must not be enabled",
                f"it starts at boot, before coreos.{section} is written to /run, and the two may deadlock",
                "remove enable; command: start is enough",
            )


def ignored_commands(document: Document) -> Iterator[Finding]:
    """Commands on networkd's files, which are not units."""
    for unit in document.units():
        if _is_network(unit.texts("name")) and unit.texts("command"):
            why = "systemd-networkd is restarted as a whole"
            yield Finding(_at(unit, "command"), "warning", f"the command of {unit.texts('name')} is ignored", why)


def _is_network(name: str) -> bool:
    return name.rpartition(".")[2] in _NETWORK


def _at(unit: Value, key: str) -> Position:
    found = unit.get(key)
    return found.at if found else unit.at
