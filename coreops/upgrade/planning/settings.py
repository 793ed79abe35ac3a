"""What the inventory says about upgrades (its ``upgrade_*`` variables and ``zone``), with flags in front of it. Pure.

Some settings are each host's own, the others belong to the rollout, so all hosts of it must agree on them. Gates and
drain may hold templates and may stand in the vars of the hooks' playbook, which win. Everything is checked at once,
for all hosts, before anything is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.inventory import Inventory
from coreops.model import Position
from coreops.playbook.values import Value, prepare_plain, render
from coreops.playbook.vars import HostState, Scope, View
from coreops.upgrade.drain import units
from coreops.upgrade.drain.units import Units
from coreops.upgrade.gates import spec
from coreops.upgrade.gates.spec import Gate, UnitGate
from coreops.upgrade.hooks import Hooks
from coreops.upgrade.plan import Patience, Policy
from coreops.upgrade.planning import readers
from coreops.upgrade.window import Window

_PREFIX = "upgrade_"
_IN_PLAYBOOKS = ("upgrade_gates", "upgrade_drain")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """One host's own. canary: the inventory names it as one. excluded: why it is left alone; "" when it is not."""

    zone: str = ""
    canary: bool = False
    excluded: str = ""
    gates: tuple[Gate, ...] = ()
    drain: Units = field(default_factory=Units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """channel, repository, root: None when nobody said. repository: a URL or an absolute folder. root: the file with
    the pinned root of trust. origins: setting -> the flag or the place it came from; what is not there is the default.
    """

    policy: Policy
    hosts: Mapping[str, HostSettings]
    channel: str | None = None
    repository: str | None = None
    root: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)


def read(
    inventory: Inventory, hosts: Sequence[str], flags: Mapping[str, Any] | None = None, hooks: Hooks | None = None
) -> Settings:
    """Read all of it. flags: setting -> what the command line says, None when it says nothing. Raises InputError."""
    hooks = hooks or Hooks.load(None, inventory)
    flags = {name: value for name, value in (flags or {}).items() if value is not None}
    _refuse_unknown(inventory, hosts, hooks)
    own = {host: _host(inventory, host, hooks) for host in hosts}
    going = [host for host in hosts if not own[host].excluded]
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, reader in _SHARED.items():
        shared = (flags[name], flag(name)) if name in flags else _agreed(inventory, going or hosts, _PREFIX + name)
        if shared is None:
            continue
        value, where = shared
        found[name] = _usable(reader, value, _shown(value) if name in flags else _PREFIX + name, where)
        origins[name] = str(where)
        if name in ("root", "repository"):
            found[name] = _located(found[name], Path.cwd() if name in flags else inventory.base)
    unavailable = found.get("max_unavailable")
    if unavailable is not None:
        found["max_unavailable"] = unavailable.of(len(going))
    policy = {each.name: found[each.name] for each in fields(Policy) if each.name in found}
    return Settings(
        policy=replace(Policy(**policy), hooks=hooks.present),
        hosts=own,
        channel=found.get("channel"),
        repository=found.get("repository"),
        root=Path(found["root"]) if "root" in found else None,
        origins=origins,
    )


def patience(inventory: Inventory) -> Patience:
    """``upgrade_patience``, for who needs nothing else. Raises InputError."""
    found = _agreed(inventory, list(inventory.hosts), f"{_PREFIX}patience")
    return _usable(_patience, found[0], f"{_PREFIX}patience", found[1]) if found else Patience()


def flag(name: str) -> str:
    """How a setting's flag is spelt."""
    return {"windows": "--window", "wait_for_window": "--wait"}.get(name, "--" + name.replace("_", "-"))


def _shown(value: object) -> str:
    return ", ".join(map(repr, value)) if isinstance(value, list) else repr(value)


def _host(inventory: Inventory, host: str, hooks: Hooks) -> HostSettings:
    """One host's own settings. Raises InputError."""
    settings = inventory.settings(host)
    found: dict[str, Any] = {}
    for name, (field_name, reader) in _OWN.items():
        if name in settings:
            place = settings[name].position
            found[field_name] = _usable(reader, _static(name, settings[name].value, place), name, place)
    made = HostSettings(**found)
    gates, gates_where = _rendered(inventory, host, "upgrade_gates", hooks)
    if gates is not None:
        made = replace(made, gates=spec.parse(gates, gates_where))
    drain, drain_where = _rendered(inventory, host, "upgrade_drain", hooks)
    if drain is not None:
        made = replace(made, drain=units.parse(drain, drain_where))
    for gate in made.gates:
        if isinstance(gate, UnitGate) and "after" in gate.moments and made.drain.covers(gate.unit):
            raise InputError(
                f"gate {gate.name} can never pass on {host} after the reboot",
                where=gates_where,
                why=f"upgrade_drain keeps {gate.unit} stopped until all gates have passed",
                next="write when: before, or take the unit out of upgrade_drain",
            )
    return made


def _rendered(inventory: Inventory, host: str, name: str, hooks: Hooks) -> tuple[Any, object]:
    """A value that may hold templates, and its place; None when nobody set it. The playbook's wins."""
    value: Value
    found = hooks.variable(host, name)
    if found is not None:
        value, scope, where = found
    else:
        setting = inventory.settings(host).get(name)
        if setting is None:
            return None, None
        value, where = prepare_plain(setting.value, setting.position), setting.position
        magic: dict[str, Callable[[str], Any]] = {
            "inventory_hostname": lambda own: own,
            "group_names": lambda own: list(inventory.group_names(own)),
        }
        scope = Scope(View(host, HostState(), inventory.vars(host), extra={}, play={}, magic=magic, gather=False))
    return render(value, scope, where if isinstance(where, Position) else Position(str(where))), where


def _agreed(inventory: Inventory, hosts: Sequence[str], name: str) -> tuple[Any, Position] | None:
    """The one value that all hosts have, and its place; None when none has one. Raises InputError."""
    first: tuple[str, Any, Position | None] | None = None
    for host in hosts:
        setting = inventory.settings(host).get(name)
        value = None if setting is None else _static(name, setting.value, setting.position)
        if first is None:
            first = host, value, setting.position if setting else None
        elif first[1] != value:
            shown = {first[0]: first[1], host: value}
            place = first[2] or (setting.position if setting else None)
            raise InputError(
                f"the hosts do not agree on {name}",
                where=place,
                why="; ".join(f"{each} has {'none' if one is None else repr(one)}" for each, one in shown.items()),
                next="set it for the group all, or give the flag, or upgrade them apart with --limit",
            )
    if first is None or first[2] is None:
        return None
    return first[1], first[2]


def _static(name: str, value: Any, where: Position) -> Any:
    if not prepare_plain(value).static:
        raise InputError(f"{name} cannot hold a template", where=where, next="write the value out")
    return value


def _usable(reader: Callable[[object, object], Any], value: object, name: str, where: object) -> Any:
    try:
        return reader(value, where)
    except ValueError as error:
        raise InputError(f"{name} is not usable", where=where, why=str(error)) from error


def _located(text: str, base: Path) -> str:
    return text if "://" in text else str((base / Path(text).expanduser()).resolve())


def _refuse_unknown(inventory: Inventory, hosts: Sequence[str], hooks: Hooks) -> None:
    known = {*_OWN, *_IN_PLAYBOOKS, *(_PREFIX + name for name in _SHARED)} - {"zone"}
    for host in hosts:
        for name, setting in inventory.settings(host).items():
            if name.startswith(_PREFIX) and name not in known:
                hint = did_you_mean(name, known) or f"known: {', '.join(sorted(known))}"
                raise InputError(f"unknown variable {name}", where=setting.position, next=hint)
    for name, where in hooks.variables().items():
        if name.startswith(_PREFIX) and name not in _IN_PLAYBOOKS:
            near = "set it in the inventory" if name in known else did_you_mean(name, _IN_PLAYBOOKS)
            what = f"{name} means nothing in the vars of a playbook"
            raise InputError(what, where=where, next=near or f"here may stand {' and '.join(_IN_PLAYBOOKS)}")


def _patience(value: object, where: object) -> Patience:
    if not isinstance(value, Mapping):
        raise ValueError(f"it must be a mapping, found {value!r}")
    known = [each.name for each in fields(Patience)]
    for key in value:
        if key not in known:
            hint = did_you_mean(str(key), known) or f"known: {', '.join(known)}"
            raise InputError(f"upgrade_patience has no {key!r}", where=where, next=hint)
    return Patience(
        **{key: _usable(readers.patience, one, f"upgrade_patience.{key}", where) for key, one in value.items()}
    )


def _windows(value: object, where: object) -> tuple[Window, ...]:
    each = value if isinstance(value, list | tuple) else [value]
    return tuple(Window.parse(readers.text(one, where), where) for one in each)


_OWN: Mapping[str, tuple[str, Callable[[object, object], Any]]] = {
    "zone": ("zone", readers.word),
    "upgrade_zone": ("zone", readers.word),
    "upgrade_canary": ("canary", readers.boolean),
    "upgrade_exclude": ("excluded", readers.reason),
}
"""Variable -> field of HostSettings and reader; a later one wins."""

_SHARED: Mapping[str, Callable[[object, object], Any]] = {
    "channel": readers.text,
    "repository": readers.text,
    "root": readers.text,
    "canaries": readers.number(0),
    "windows": _windows,
    "max_unavailable": readers.share,
    "max_failures": readers.number(0),
    "soak": readers.duration,
    "samples": readers.number(1),
    "turn": readers.duration,
    "allow_downtime": readers.boolean,
    "wait_for_window": readers.boolean,
    "patience": _patience,
}
"""Setting -> reader; in the inventory it has ``upgrade_`` in front."""
