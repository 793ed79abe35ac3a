"""From an inventory to the shares of its providers: the bridge between packages that must not know each other.

User-data is rendered from the inventory as it is written: what is learned of machines later does not change it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from coreops.cli import _lookups, _nodes
from coreops.errors import CoreopsError, InputError, RefusedError, did_you_mean
from coreops.inventory import Inventory, load_inventory
from coreops.inventory.aliases import ALIASES
from coreops.model import Position
from coreops.playbook.rendering import host_renderer
from coreops.providers import registry
from coreops.providers.protocol import Wanted
from coreops.provision.share import Share

if TYPE_CHECKING:
    from coreops.events import Emit, Event
    from coreops.providers.protocol import Machine
    from coreops.provision.replaced import Known
    from coreops.provision.share import Survey

_CLUSTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the command line says of user-data."""

    target: str | None = None
    platform: str | None = None
    allow_loss: bool = False
    allow_secrets: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A host of the inventory, and who makes it."""

    name: str
    record: registry.Record
    cluster: str
    settings: Mapping[str, Any] = field(repr=False)
    where: Position

    @property
    def share(self) -> tuple[object, ...]:
        """Nodes with the same are made by one opened provider."""
        return (self.record.name, self.cluster, *(str(self.settings.get(name)) for name in self.record.splits))


def nodes(inventory: Inventory) -> dict[str, Node]:
    """Every host of the inventory, with its provider and that one's variables. Raises InputError."""
    return {host: _node(inventory, host) for host in inventory.hosts}


def _node(inventory: Inventory, host: str) -> Node:
    settings = inventory.settings(host)
    render = host_renderer(inventory, host)

    def value(name: str, default: Any) -> Any:
        return render(settings[name].value, settings[name].position) if name in settings else default

    where = settings["provider"].position if "provider" in settings else inventory.hosts[host].position
    record = registry.find(value("provider", registry.STATIC), where)
    cluster = value("cluster", "")
    if record.name != registry.STATIC:
        _check_cluster(cluster, settings["cluster"].position if "cluster" in settings else where)
    own = {name: value(name, None) for name in settings if name.startswith(f"{record.name}_")}
    return Node(host, record, cluster, own, where)


def _check_cluster(cluster: object, where: Position) -> None:
    """It must be said: by a name that is guessed, two inventories could share machines, and one destroy the other's."""
    if not isinstance(cluster, str) or not _CLUSTER.fullmatch(cluster):
        raise InputError(
            f"{cluster!r} cannot be the name of a cluster" if cluster else "no `cluster` is set",
            where=where,
            why="the cluster's name is part of the mark by which its machines are known",
            next="set `cluster`, in group_vars/all for example, to a word of at most 63 letters, digits and . _ -",
        )


def shares(
    inventory: Inventory, known: Mapping[str, Node], names: tuple[str, ...], rendering: Rendering | None, emit: Emit
) -> tuple[Share, ...]:
    """Open the providers of the inventory, and say what they are to make of the named hosts.

    rendering None: no user-data is needed. Raises CoreopsError.
    """
    told = _user_data(inventory, [known[name] for name in names], rendering) if rendering else {}
    parts: dict[tuple[object, ...], list[Node]] = {}
    for node in known.values():
        parts.setdefault(node.share, []).append(node)
    found = []
    for mine in parts.values():
        first = mine[0]
        opening = registry.Opening(
            first.cluster, inventory.base, {each.name: each.settings for each in mine}, first.where, emit
        )
        wanted = tuple(
            Wanted(each.name, each.cluster, told.get(each.name, b""), each.settings, each.where)
            for each in mine
            if each.name in names
        )
        found.append(Share(registry.connect(first.record, opening), first.cluster, wanted))
    return tuple(found)


def _user_data(inventory: Inventory, wanted: list[Node], rendering: Rendering) -> dict[str, bytes]:
    """What each machine is told at birth. Raises InputError."""
    from coreops.cloudconfig.addresses import NOWHERE
    from coreops.cloudconfig.platforms.records import find
    from coreops.cloudconfig.read import Reader
    from coreops.cloudconfig.render import Wanted as Form
    from coreops.cloudconfig.render import render

    forms: dict[tuple[str, str | None], list[str]] = {}
    for node in wanted:
        if node.record.name != registry.STATIC:
            name, record = node.record.name, node.record
            target = str(node.settings.get(f"{name}_target") or rendering.target or record.target)
            platform = node.settings.get(f"{name}_platform") or rendering.platform or record.platform
            forms.setdefault((target, platform), []).append(node.name)
    reader = Reader(_nodes.templates(inventory, None))
    found: dict[str, bytes] = {}
    for (target, platform), names in forms.items():
        form = Form(
            target=target,
            platform=find(platform) if platform else NOWHERE,
            named=platform is not None,
            allow_loss=rendering.allow_loss,
            allow_secrets=rendering.allow_secrets,
        )
        done = render(_nodes.hosts(inventory, tuple(names)), reader, form)
        found |= {each.node: each.data for each in done.nodes}
    return found


def reached(inventory: Inventory) -> Callable[[str], tuple[str, ...]]:
    """By what name a node is reached where the operator has written one without a template."""

    def names(node: str) -> tuple[str, ...]:
        settings = inventory.settings(node) if node in inventory.hosts else {}
        said = (settings[name].value for name in ALIASES["address"] if name in settings)
        return tuple(value for value in said if isinstance(value, str) and re.fullmatch(r"[\w.:%-]+", value))

    return names


def choose(inventory: Inventory, limit: str | None) -> tuple[str, ...]:
    """The hosts within ``limit``. Raises InputError when there is none."""
    names = inventory.match("all", limit)
    if not names:
        raise InputError("no host matches", where=inventory.base, next="coreops inventory list")
    return names


def load(source: Path) -> Inventory:
    """The inventory as it is written."""
    return load_inventory(_lookups.fresh(source)).as_written()


def survey(
    inventory: Inventory, shares: tuple[Share, ...], only: tuple[str, ...] | None, known: Known | None = None
) -> tuple[Survey, ...]:
    """What there is, what must change, and what took the place of what is ``known`` (beside the inventory)."""
    from coreops.inventory.machines import load_machines
    from coreops.provision.replaced import noted
    from coreops.provision.survey import survey as ask

    return noted(ask(shares, only), load_machines(inventory.base) if known is None else known)


def machine_of(inventory: Inventory, node: str) -> tuple[Share, Machine]:
    """One host's machine, and who made it. Raises CoreopsError."""
    from coreops.provision.survey import survey as ask

    known = nodes(inventory)
    if node not in known:
        raise InputError(f"no host is named {node!r}", where=inventory.base, next=did_you_mean(node, known))
    mine = {name: each for name, each in known.items() if each.share == known[node].share}
    (share,) = shares(inventory, mine, (node,), None, progress)
    found = [machine for each in ask([share], [node]) for machine in each.found if machine.node == node]
    if not found:
        raise CoreopsError(
            "there is no such machine",
            where=node,
            why=f"the provider {share.provider.name} lists none with its mark in cluster {share.cluster}",
            next="coreops plan shows which there are",
        )
    if len(found) > 1:
        raise RefusedError(
            f"{len(found)} machines carry its mark",
            where=node,
            why=", ".join(machine.id for machine in found),
            next="end all but one of them at the provider",
        )
    return share, found[0]


def confirm(rows: Sequence[Sequence[str]], yes: int | None, what: str) -> None:
    """List machines, and raise RefusedError unless the operator knows how many of them go."""
    from coreops.cli._fleet import columns
    from coreops.errors import counted

    for line in columns(rows):
        typer.echo(line, err=True)
    count = len(rows)
    if yes is None and sys.stdin.isatty():
        said = typer.prompt(f"{what} {counted(count, 'machine')} and all that is on them; type the number", err=True)
        yes = int(said) if said.strip().isdecimal() else -1
    if yes != count:
        raise RefusedError(
            "nothing was destroyed",
            why=f"it would be {counted(count, 'machine')}" + ("" if yes is None else ", another number than was said"),
            next=f"look at the list, then pass --yes {count}",
        )


def row(machine: Machine) -> tuple[str, ...]:
    """How a machine is listed."""
    return machine.node, machine.id, machine.state, " ".join(machine.addresses.values())


def warn(inventory: Inventory, shares: tuple[Share, ...]) -> None:
    """Say on stderr which machines nobody looks at any more."""
    from coreops.inventory.machines import load_machines
    from coreops.provision.survey import unasked
    from coreops.report.text import clean

    for line in unasked(load_machines(inventory.base), shares):
        typer.echo(clean(f"warning: {line}"), err=True)


def progress(event: Event) -> None:
    """Notices on stderr."""
    from coreops.events import Notice
    from coreops.report.text import clean

    if isinstance(event, Notice):
        typer.echo(clean(f"{event.host}: {event.text}" if event.host else event.text), err=True)
