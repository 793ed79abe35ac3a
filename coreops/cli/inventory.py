"""``coreops inventory list|graph|vars``: shows what the inventory says. Flags and printing only; results on stdout."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from coreops.inventory import Inventory

app = typer.Typer(help="Show hosts, groups and variables of an inventory.", no_args_is_help=True)

Source = Annotated[
    Path | None,
    typer.Option("-i", "--inventory", help="File or folder. Default: $COREOPS_INVENTORY, else inventories/ if one."),
]
Limit = Annotated[str | None, typer.Option("-l", "--limit", help="Only these hosts: a pattern, or @FILE.")]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="Look up machines (*.coreops.yml) again, however fresh the last answer is.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    pattern: Annotated[str, typer.Argument(help="Which hosts, e.g. 'store:&eu:!n3'.")] = "all",
    inventory: Source = None,
    limit: Limit = None,
    refresh: Refresh = False,
    as_json: Json = False,
) -> None:
    """List hosts, one a line. With --json: hosts with groups and variables, and groups with members."""
    loaded = load(inventory, refresh=refresh)
    hosts = loaded.match(pattern, limit)
    if as_json:
        shown = set(hosts)
        members = {name: [host for host in loaded.members(name) if host in shown] for name in loaded.groups}
        typer.echo(_json({"hosts": {host: _host(loaded, host) for host in hosts}, "groups": members}))
        return
    for host in hosts:
        typer.echo(host)


@app.command()
def graph(
    group: Annotated[str, typer.Argument(help="Where to begin.")] = "all",
    inventory: Source = None,
    as_json: Json = False,
) -> None:
    """Show groups and their hosts as a tree."""
    loaded = load(inventory)
    loaded.members(group)
    if as_json:
        names = [name for name, _, again in _tree(loaded, group) if name in loaded.groups and not again]
        parts = {n: {"hosts": loaded.groups[n].hosts, "children": loaded.groups[n].children} for n in names}
        typer.echo(_json(parts))
        return
    for name, depth, again in _tree(loaded, group):
        label = f"@{name}:{' (above)' * again}" if name in loaded.groups else name
        typer.echo("  |" * depth + ("--" if depth else "") + label)


@app.command("vars")
def vars_(
    host: Annotated[str, typer.Argument(help="The host's name.")],
    inventory: Source = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value is written and what it hides.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a host's variables, merged by Ansible's precedence and not yet templated. Passwords are not shown."""
    loaded = load(inventory)
    values = _vars(loaded, host)
    if as_json and origin:
        places = {name: [str(place) for place in loaded.origin(host, name)] for name in values}
        report = {n: {"value": v, "origin": places[n][0], "overrides": places[n][1:]} for n, v in values.items()}
        typer.echo(_json(report))
        return
    if as_json:
        typer.echo(_json(values))
        return
    for name, value in values.items():
        typer.echo(f"{name}: {_one_line(value)}")
        if origin:
            first, *rest = loaded.origin(host, name)
            typer.echo(f"    {first}")
            for place in rest:
                typer.echo(f"    {place}  (overridden)")


@app.command(
    "import-ssh-config", epilog="\b\nExample:\n  vagrant ssh-config | coreops inventory import-ssh-config - lab"
)
def import_ssh_config(
    config: Annotated[Path, typer.Argument(metavar="FILE", help="An ssh_config with Host blocks; - reads stdin.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The inventory's folder; ssh.yml is written there.")],
    group: Annotated[str, typer.Option("--group", help="Put the hosts into this group.")] = "",
    host_keys: Annotated[
        Path | None,
        typer.Option(
            "--host-keys", metavar="DIR", help="A file HOST.pub a host: its public host keys, known for sure."
        ),
    ] = None,
) -> None:
    """Write how the hosts of an ssh_config are reached, such as `vagrant ssh-config` prints, into an inventory.

    What switches host key checks off there is not taken over: give the keys, or accept them once with --accept-new.
    """
    from coreops.inventory.imported import import_hosts

    hosts = import_hosts(config, folder, group=group, host_keys=host_keys)
    typer.echo(f"{folder / 'ssh.yml'}: {', '.join(host.name for host in hosts)}")


@app.command()
def script(
    everything: Annotated[bool, typer.Option("--list", help="Print groups, hosts and their variables.")] = False,
    host: Annotated[str | None, typer.Option("--host", metavar="NAME", help="Print one host's variables.")] = None,
    inventory: Source = None,
    refresh: Refresh = False,
) -> None:
    """Answer as an inventory script of Ansible does, so that Ansible sees the same hosts. Passwords are left out.

    An executable of two lines makes it one:

        #!/bin/sh

        exec coreops inventory script -i inventories/prod "$@"
    """
    from coreops.errors import InputError
    from coreops.inventory.script import everybody, variables

    if everything == (host is not None):
        raise InputError("say --list or --host NAME, one of them")
    loaded = load(inventory, refresh=refresh)
    typer.echo(_json(everybody(loaded) if host is None else variables(loaded, host)))


def load(source: Path | None, *, refresh: bool = False) -> Inventory:
    from coreops.cli._lookups import fresh
    from coreops.errors import InputError
    from coreops.inventory import load_inventory

    if source is None and (given := os.environ.get("COREOPS_INVENTORY")):
        source = Path(given)
    if source is not None:
        return load_inventory(fresh(source, refresh=refresh))
    home = Path("inventories")
    found = sorted(p for p in home.iterdir() if not p.name.startswith(".")) if home.is_dir() else []
    if len(found) == 1:
        return load_inventory(fresh(found[0], refresh=refresh))
    why = f"inventories/ holds {', '.join(path.name for path in found)}" if found else "there is no inventories/ here"
    raise InputError("no inventory given", why=why, next="name one with -i, or set COREOPS_INVENTORY")


def _tree(inventory: Inventory, name: str) -> Iterator[tuple[str, int, bool]]:
    """Yield names with their depth: a group, the groups below it, then its own hosts. True: a group shown before."""
    shown: set[str] = set()
    waiting = [(name, 0)]
    while waiting:
        name, depth = waiting.pop()
        yield name, depth, name in shown
        group = inventory.groups.get(name)
        if group is None or name in shown:
            continue
        shown.add(name)
        below = [*group.children, *(group.hosts if name != "all" else ())]
        waiting += [(each, depth + 1) for each in reversed(below)]


def _host(inventory: Inventory, host: str) -> dict[str, Any]:
    return {"groups": list(inventory.group_names(host)), "vars": _vars(inventory, host)}


def _vars(inventory: Inventory, host: str) -> dict[str, Any]:
    from coreops.inventory import SECRETS

    values = inventory.vars(host)
    return {name: "(hidden)" if name in SECRETS else values[name] for name in sorted(values)}


def _one_line(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if text.isprintable() else json.dumps(value, default=str)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str)


if __name__ == "__main__":
    app()
