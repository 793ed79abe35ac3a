"""``coreops render``: what every node is told at birth, as files. Flags and printing only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coreops.cli import _options as options


def render(
    nodes: Annotated[
        list[str] | None, typer.Argument(metavar="[NODE]...", help="Hosts or patterns. [default: all]")
    ] = None,
    inventory: options.Inventory = None,
    target: Annotated[
        str, typer.Option("--target", "-t", metavar="TARGET", help="coreos (cloud-config of CoreOS) or cloud-init.")
    ] = "coreos",
    platform: Annotated[
        str | None, typer.Option("--platform", "-p", help="Where the machines run: what it can fill in, and how much.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Keep it in this folder: a file a node, an index."),
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", "-D", help="Compare with what -o DIR holds; write nothing.")] = False,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Go on without the keys that the target cannot express.")
    ] = False,
    templates: Annotated[
        Path | None, typer.Option("--templates", metavar="DIR", help="Templates of your own, a file a role.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option("--init", metavar="DIR", help="Copy the templates to this folder, and stop.")
    ] = None,
) -> None:
    """Render the user-data of nodes from an inventory. One node: to stdout; several: to a folder.

    The same input gives the same bytes. -o replaces the folder as a whole, with the named nodes in it, or not at all.
    """
    from coreops.cli import _nodes
    from coreops.cloudconfig import folder

    if init is not None:
        for path in folder.copy_templates(_nodes.shipped(), init):
            typer.echo(path)
        return
    from coreops.cli.inventory import load
    from coreops.cloudconfig.addresses import NOWHERE
    from coreops.cloudconfig.platforms.records import find
    from coreops.cloudconfig.read import Reader
    from coreops.cloudconfig.render import check_target
    from coreops.cloudconfig.render import render as run
    from coreops.errors import InputError

    check_target(target)
    place = find(platform) if platform else NOWHERE
    if diff and output is None:
        raise InputError("--diff compares with the last render", next="name its folder with -o DIR")
    loaded = load(inventory)
    names = loaded.match(",".join(nodes) if nodes else "all")
    if not names:
        raise InputError("no host matches", where=loaded.base, next="coreops inventory list")
    if output is None and len(names) > 1:
        raise InputError(f"{len(names)} nodes do not fit on stdout", next="name one node, or a folder with -o DIR")
    last = folder.last(output) if output else {}
    reader = Reader(_nodes.templates(loaded, templates))
    done = run(_nodes.hosts(loaded, names), reader, target, place, named=platform is not None, allow_loss=allow_loss)
    for each in done.nodes:
        for loss in each.losses:
            typer.echo(f"{each.node}: {loss}", err=True)
    if output is None:
        typer.echo(done.nodes[0].data, nl=False)
    elif diff:
        for line in folder.diff(last, done.files()):
            typer.echo(line)
    else:
        folder.write(output, done.files())
        typer.echo(f"{output}: {len(done.nodes)} of {target}{f' for {platform}' if platform else ''}", err=True)
