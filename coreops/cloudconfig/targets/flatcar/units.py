"""Units of a node as Ignition takes them. It starts none: what was to be started is wanted by multi-user.target.

A unit that says in ``[Install]`` who wants it is enabled; for any other a link is made, as ``systemctl enable`` would.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.model.unit import Unit
from coreops.cloudconfig.targets.flatcar.lowered import Link, UnitFile
from coreops.errors import InputError

FOLDER: Final = "/etc/systemd/system"
_NETWORK = "/etc/systemd/network"
_VENDOR = "/usr/lib/systemd/system"
_WANTS = f"{FOLDER}/multi-user.target.wants"
_LONGEST = 2048
_LINE = re.compile(r"[ \t\r]*([#;].*)?|\[[^\]]+\]\r?|[^\s=\[#;][^=\[]*=.*")
_STARTS = frozenset({"start", "restart", "reload-or-restart"})
_WANTED = ("WantedBy", "RequiredBy", "UpheldBy")
# Every boot reaches these: what they want is started.
_REACHED = frozenset(
    f"{name}.target"
    for name in (
        *("basic", "default", "local-fs", "multi-user", "network", "network-online", "paths", "remote-fs", "sockets"),
        *("swap", "sysinit", "timers"),
    )
)
# Flatcar's own units that say in [Install] who wants them, of those that nodes are told to start.
_INSTALLABLE = frozenset(
    f"{name}.service"
    for name in (
        *("containerd", "docker", "etcd-member", "flanneld", "ip6tables-restore", "iptables-restore", "locksmithd"),
        *("systemd-networkd", "systemd-resolved", "systemd-timesyncd", "update-engine"),
    )
)


@dataclass(frozen=True, slots=True)
class Units:
    """Units, the links that some of them need, and contents that Ignition takes only as files: path, text, key."""

    units: tuple[UnitFile, ...]
    links: tuple[Link, ...]
    files: tuple[tuple[str, str, str], ...]


def lower(units: Iterable[Unit], losses: list[Loss]) -> Units:
    """Return the units as Ignition takes them. Raises InputError for two drop-ins of one name."""
    found: list[UnitFile] = []
    links: list[Link] = []
    files: list[tuple[str, str, str]] = []
    own = {unit.name: unit.content for unit in units if unit.content}
    for unit in units:
        _check(unit)
        key = f"coreos.units[{unit.name}]"
        losses += [Loss(f"{key}.{name}", why, instead) for name, why, instead in _unsaid(unit)]
        if unit.network:
            if unit.mask:
                links.append(Link(f"{_NETWORK}/{unit.name}", "/dev/null"))
            continue
        defined = next((name for name in (unit.name, _template(unit.name)) if name in own), None)
        enabled, linked = _enabled(unit, _install(own[defined]) if defined else None)
        if linked:
            target = f"{FOLDER}/{defined}" if defined else f"{_VENDOR}/{_template(unit.name)}"
            links.append(Link(f"{_WANTS}/{unit.name}", target))
            if unit.enable and not enabled:
                losses.append(Loss(f"{key}.enable", "it has no [Install] section", "wanted by multi-user.target"))
        files += _files(unit, key)
        dropins = tuple((each.name, each.content) for each in unit.drop_ins if _parsed(each.content))
        taken = unit.content if unit.content and _parsed(unit.content) else None
        said = UnitFile(unit.name, enabled, unit.mask, taken, dropins)
        if said != UnitFile(unit.name):
            found.append(said)
    return Units(tuple(found), tuple(links), tuple(files))


def _files(unit: Unit, key: str) -> Iterator[tuple[str, str, str]]:
    """What Ignition does not take as a unit."""
    path = f"{FOLDER}/{unit.name}"
    if unit.content and not unit.mask and not _parsed(unit.content):
        yield path, unit.content, key
    for each in unit.drop_ins:
        if not _parsed(each.content):
            yield f"{path}.d/{each.name}", each.content, f"{key}.drop_ins"


def _parsed(content: str) -> bool:
    """Does Ignition surely take it? It reads units itself, is stricter than systemd, and refuses the whole config."""
    inside = more = False
    for line in content.split("\n"):
        inside = inside or "[" in line
        # Before the first section it takes anything.
        if len(line.encode()) >= _LONGEST or (inside and not more and not _LINE.fullmatch(line)):
            return False
        more = inside and line.endswith("\\") and (more or not line.lstrip().startswith(("#", ";")))
    return True


def network_files(units: Iterable[Unit]) -> Iterator[tuple[str, str, str]]:
    """Path, content and key of the files that networkd reads."""
    for unit in units:
        if unit.network:
            key = f"coreos.units[{unit.name}]"
            if unit.content and not unit.mask:
                yield f"{_NETWORK}/{unit.name}", unit.content, key
            for each in unit.drop_ins:
                yield f"{_NETWORK}/{unit.name}.d/{each.name}", each.content, f"{key}.drop_ins"


def _unsaid(unit: Unit) -> Iterator[tuple[str, str, str | None]]:
    """Keys of a unit that have no equivalent: the key, why, what is written instead."""
    if unit.mask and unit.enable:
        yield "enable", "a masked unit cannot be enabled", None
    if unit.runtime:
        folder = _NETWORK if unit.network else FOLDER
        yield "runtime", "Ignition writes once, not on every boot", f"a lasting one in {folder}"
    if unit.mask and unit.content and (unit.network or not _parsed(unit.content)):
        yield "content", "the link that masks it takes its place", None
    if unit.network:
        if unit.enable and not unit.mask:
            yield "enable", "networkd reads every file there is", None
        return
    if unit.mask and unit.command in _STARTS:
        yield "command", "a masked unit cannot be started", None
    elif unit.command == "stop" and not unit.mask:
        why = "Ignition runs before anything that could be stopped"
        yield "command", why, "disabled: it starts only where another unit wants it; mask it to prevent that"
    elif unit.command is not None and unit.command not in (*_STARTS, "stop"):
        yield "command", f"nothing runs yet when Ignition does its work, so there is nothing to {unit.command}", None


def _enabled(unit: Unit, install: dict[str, list[str]] | None) -> tuple[bool | None, bool]:
    """Is the unit to be enabled, and does it need a link? install None: the unit is the vendor's."""
    starts = unit.command in _STARTS and not unit.mask
    enables = unit.enable and not unit.mask
    # Who asks to enable a vendor's unit is believed.
    able = install is None or bool(install)
    if install is None:
        wanted = unit.enable or unit.name in _INSTALLABLE
    else:
        wanted = not _REACHED.isdisjoint(name for key in _WANTED for name in install.get(key, ()))
    if (enables and able) or (starts and wanted):
        return True, starts and not wanted
    return (False if unit.command == "stop" and not unit.mask else None), starts or enables


def _install(content: str) -> dict[str, list[str]]:
    """The keys of ``[Install]`` and the words of their values."""
    section = ""
    found: dict[str, list[str]] = {}
    for line in content.splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text
        elif section == "[Install]" and not text.startswith(("#", ";")) and "=" in text:
            key, _, value = text.partition("=")
            found.setdefault(key.strip(), []).extend(value.split())
    return found


def _template(name: str) -> str:
    """``a@.service`` of ``a@b.service``; any other name as it is."""
    stem, at, rest = name.partition("@")
    return f"{stem}@.{rest.rpartition('.')[2]}" if at else name


def _check(unit: Unit) -> None:
    names = [each.name for each in unit.drop_ins]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"coreos.units[{unit.name}] has two drop-ins {twice}", next="keep one, or rename one")
