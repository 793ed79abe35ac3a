"""``coreops render``: what every node is told at birth, as files. Flags and printing only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.cloudconfig.platforms.platform import Platform
    from coreops.cloudconfig.render import Render

app = typer.Typer(add_completion=False)


@app.command(
    "render",
    epilog="\b\nExamples:\n  coreops render -i inventories/prod n1\n"
    "  coreops render -i inventories/prod -o user-data --platform ec2\n"
    "  coreops render -i inventories/prod -o user-data --platform ec2 --diff\n"
    "  coreops render -i inventories/prod 'store:!n3' -o flatcar --target ignition --allow-loss\n"
    "  coreops render -i inventories/prod -o disks --platform qemu --as iso\n"
    "  coreops render --init templates/cloud-config",
)
def render(
    nodes: Annotated[
        list[str] | None, typer.Argument(metavar="[NODE]...", help="Hosts, groups or patterns. [default: all]")
    ] = None,
    inventory: options.Inventory = None,
    target: Annotated[
        str,
        typer.Option(
            "--target", "-t", metavar="TARGET", help="coreos (its cloud-config), cloud-init, ignition, butane."
        ),
    ] = "coreos",
    platform: Annotated[
        str | None, typer.Option("--platform", "-p", help="Where the machines run: what it can fill in, and how much.")
    ] = None,
    spec: Annotated[
        str | None, typer.Option("--spec", metavar="V", help="Of Ignition: 3.3.0 (default) or 3.4.0; also for butane.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Keep it in this folder: a file a node, an index."),
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", "-D", help="Compare with what -o DIR holds; write nothing.")] = False,
    form: Annotated[
        str | None,
        typer.Option("--as", metavar="FORM", help="Pack it too: iso, mime, vmware-guestinfo, ipxe, fw_cfg."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="For --as ipxe and fw_cfg: where it will be served; a folder ends in /.")
    ] = None,
    kernel: Annotated[str | None, typer.Option("--kernel", metavar="URL", help="For --as ipxe: what to boot.")] = None,
    initrd: Annotated[list[str] | None, typer.Option("--initrd", metavar="URL", help="For --as ipxe.")] = None,
    append: Annotated[
        list[str] | None, typer.Option("--append", metavar="ARG", help="For --as ipxe: one more kernel argument.")
    ] = None,
    part: Annotated[
        list[Path] | None, typer.Option("--part", metavar="FILE", help="For --as mime: one more part, e.g. a script.")
    ] = None,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Go on without the keys that the target cannot express.")
    ] = False,
    allow_secrets: Annotated[
        bool, typer.Option("--allow-secrets", help="Go on with private keys, tokens and passwords in user-data.")
    ] = False,
    templates: Annotated[
        Path | None, typer.Option("--templates", metavar="DIR", help="Templates of your own, a file a role.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option("--init", metavar="DIR", help="Copy the templates to this folder, and stop.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The index of the nodes on stdout, as JSON.")] = False,
) -> None:
    """Render the user-data of nodes from an inventory. One node: to stdout; several: to a folder.

    The same input gives the same bytes. -o replaces the folder as a whole, with the named nodes in it, or not at all.
    Bad input, keys that the target lacks and secrets are errors (exit code 2), told with file and line.
    """
    from coreops.cli import _nodes, _packing
    from coreops.cloudconfig import folder

    if init is not None:
        for path in folder.copy_templates(_nodes.shipped(), init):
            typer.echo(path)
        return
    from coreops.cli.inventory import load
    from coreops.cloudconfig.addresses import NOWHERE
    from coreops.cloudconfig.platforms.records import find
    from coreops.cloudconfig.read import Reader
    from coreops.cloudconfig.render import Wanted, check_target
    from coreops.cloudconfig.render import render as run
    from coreops.cloudconfig.secrets import refuse
    from coreops.errors import InputError

    check_target(target)
    place = find(platform) if platform else NOWHERE
    wanted = Wanted(
        target=target,
        platform=place,
        named=platform is not None,
        spec=spec,
        allow_loss=allow_loss,
        allow_secrets=allow_secrets,
    )
    pack = _packing.asked(form, url=url, kernel=kernel, initrds=initrd, arguments=append, parts=part)
    if pack and not allow_secrets:
        refuse(pack.secrets, place)
    if diff and output is None:
        raise InputError("--diff compares with the last render", next="name its folder with -o DIR")
    if form and output is None:
        raise InputError(f"--as {form} makes files", next="name a folder for them with -o DIR")
    loaded = load(inventory)
    names = loaded.match(",".join(nodes) if nodes else "all")
    if not names:
        raise InputError("no host matches", where=loaded.base, next="coreops inventory list")
    if output is None and len(names) > 1 and not as_json:
        raise InputError(f"{len(names)} nodes do not fit on stdout", next="name one node, or a folder with -o DIR")
    last = folder.last(output) if output else {}
    done = run(_nodes.hosts(loaded, names), Reader(_nodes.templates(loaded, templates)), wanted)
    if pack:
        done = _packing.packed(done, pack, place if platform else None)
    _warn(done, place)
    if output is not None and diff:
        for line in folder.diff(last, done.files()):
            typer.echo(line, err=as_json)
    elif output is not None:
        folder.write(output, done.files())
        typer.echo(f"{output}: {len(done.nodes)} of {target}{f' for {platform}' if platform else ''}", err=True)
    if as_json:
        typer.echo(done.index(), nl=False)
    elif output is None:
        typer.echo(done.nodes[0].data, nl=False)


def _warn(done: Render, platform: Platform) -> None:
    """Say on stderr what is lost, what had to be compressed, and who reads what should be secret."""
    from coreops.cloudconfig import secrets
    from coreops.report.text import clean

    for each in done.nodes:
        for loss in each.losses:
            typer.echo(clean(f"{each.node}: {loss}"), err=True)
        if each.zipped:
            typer.echo(clean(f"{each.node}: compressed; as it is, it would be too large for {platform.name}"), err=True)
    found = {each.node: each.secrets for each in done.nodes}
    for line in (secrets.warning(found, platform), secrets.hashes(found)):
        if line:
            typer.echo(clean(f"warning: {line}"), err=True)
