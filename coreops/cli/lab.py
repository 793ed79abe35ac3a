"""``coreops lab``: flags and wiring of the labs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coreops.cli import _lab_vagrant

if TYPE_CHECKING:
    from coreops.events import Event
    from coreops.providers.namespace.node import NodeStatus

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Boot, look at, break and remove local labs of real nodes."
)

NameOption = Annotated[str, typer.Option("--name", help="Which lab; several can run side by side.")]
NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="A node of the lab, such as n1.")]
DriverOption = Annotated[
    str | None,
    typer.Option("--driver", help="namespace: containers, quick. qemu: virtual machines. [default: namespace]"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def _progress(event: Event) -> None:
    from coreops.events import Notice
    from coreops.report.text import clean

    if isinstance(event, Notice):
        typer.echo(clean(f"{event.host}: {event.text}" if event.host else event.text), err=True)


@app.command(
    epilog="\b\nExamples:\n  coreops lab up\n  coreops lab up --nodes 5\n  coreops lab up --name other --nodes 1\n"
    "  coreops lab up --name vm --driver qemu\n  coreops lab up --name swarm --with docker\n\n"
    "\b\nNodes that cloud-init sets up, from what coreops renders:\n  coreops lab up --no-boot\n"
    "  coreops render -i inventories/lab -t cloud-init -p lab -o user-data\n  coreops lab up --user-data user-data"
)
def up(
    name: NameOption = "lab",
    nodes: Annotated[
        int | None, typer.Option("--nodes", help="How many nodes. [default: 3, or as many as there are]")
    ] = None,
    zones: Annotated[
        int | None, typer.Option("--zones", help="Over how many zones they are spread. [default: 3]")
    ] = None,
    inventory: Annotated[
        Path | None, typer.Option("--inventory", help="Folder to write. [default: inventories/NAME]")
    ] = None,
    user_data: Annotated[
        Path | None,
        typer.Option(
            "--user-data",
            metavar="DIR",
            help="Boot the nodes with Debian's cloud-init (so with Python), and give them this render.",
        ),
    ] = None,
    driver: DriverOption = None,
    firmware: Annotated[
        str | None,
        typer.Option(
            "--firmware",
            help="With --driver qemu: uefi (OVMF, systemd-boot) or gptprio (CoreOS's GPT bits). [default: uefi]",
        ),
    ] = None,
    extra: Annotated[
        str | None, typer.Option("--with", metavar="WHAT", help="docker: nodes whose image brings the Docker engine.")
    ] = None,
    boot: Annotated[
        bool, typer.Option("--boot/--no-boot", help="--no-boot: decide names and addresses, write the inventory, stop.")
    ] = True,
) -> None:
    """Boot a lab, or repair it: nodes that are off are started, missing ones are added.

    Linux and root only. The first run builds an image from Debian packages (about half a minute).

    With --user-data it waits until cloud-init is done, and fails if it did not apply all of it. Changed user-data
    counts from a node's next boot on (`coreops lab chaos NODE reboot`).
    """
    import time

    from coreops.errors import counted
    from coreops.providers.namespace.lab import Lab

    started = time.monotonic()
    lab = Lab.up(
        name,
        nodes,
        zones,
        inventory_folder=inventory,
        user_data=user_data,
        boot=boot,
        driver=driver,
        firmware=firmware,
        extra=extra,
        emit=_progress,
    )
    took = time.monotonic() - started
    done = f"up in {took:.1f} s" if boot else "planned"
    typer.echo(f"{counted(len(lab.nodes), 'node')} {done}; inventory: {lab.inventory}")
    if lab.plan.cloud_init:
        typer.echo(
            "these nodes have cloud-init, and so Python; nodes of a lab without --user-data have neither", err=True
        )


@app.command()
def down(name: NameOption = "lab") -> None:
    """Remove a lab: processes, mounts, devices, namespaces and files. Also what a killed run left of one."""
    from coreops.providers.namespace.lab import Lab

    existed = Lab.down(name, emit=_progress)
    typer.echo(f"lab {name} is gone" if existed else f"there was no lab {name}")


@app.command()
def status(name: NameOption = "lab", as_json: JsonOption = False) -> None:
    """Show every node: address, zone, state, booted slot and release, and both slots' priority/tries/successful."""
    from coreops.providers.namespace.lab import Lab

    lab = Lab.open(name)
    nodes = lab.status()
    if as_json:
        image = str(lab.image.folder) if lab.plan.image else None
        kind = {"driver": lab.plan.driver, "firmware": lab.plan.firmware}
        told = {"lab": name, **kind, "subnet": lab.plan.subnet, "inventory": str(lab.inventory)}
        more = {"image": image, "cloud_init": lab.plan.cloud_init, "nodes": [node.to_dict() for node in nodes]}
        typer.echo(json.dumps(told | more))
        return
    _table(nodes)


def _table(nodes: list[NodeStatus]) -> None:
    rows = [("NODE", "ADDRESS", "ZONE", "STATE", "LINK", "PID", "SLOT", "RELEASE", "USR-A p/t/s", "USR-B p/t/s")]
    for node in nodes:
        bits = tuple(f"{slot.priority}/{slot.tries}/{int(slot.successful)}" for slot in node.slots[:2])
        shown = (node.node, node.address, node.zone, node.state, node.link, node.pid, node.slot, node.release)
        rows.append((*(str(value or "-") for value in shown), *(bits or ("-", "-"))))  # type: ignore[arg-type]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command(epilog="\b\nExamples:\n  coreops lab ssh n1\n  coreops lab ssh n1 -- systemctl --failed")
def ssh(
    node: NodeArgument,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="Run this instead of a shell.")
    ] = None,
    name: NameOption = "lab",
) -> None:
    """Open a shell on a node as core, or run a command there and end with its exit status."""
    import os
    import sys

    from coreops.errors import InputError
    from coreops.providers.namespace.lab import Lab

    argv = Lab.open(name).ssh_command(node, command or ())
    sys.stdout.flush()
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        raise InputError("the ssh program is missing", next="apt-get install openssh-client") from None


@app.command(
    epilog="\b\nExamples:\n  coreops lab chaos n1 kill       cut the power; unsynced data is lost\n"
    "  coreops lab chaos n1 poweron\n  coreops lab chaos n2 cut        unplug the network\n  coreops lab chaos n2 heal"
)
def chaos(
    node: NodeArgument,
    action: Annotated[
        str,
        typer.Argument(help="kill, freeze, thaw, cut, heal, reboot, poweroff, poweron, fill-disk or free-disk."),
    ],
    name: NameOption = "lab",
    wait: Annotated[bool, typer.Option(help="After reboot and poweron, wait until ssh answers.")] = True,
) -> None:
    """Break a node on purpose, or mend it. Ends when the effect has been seen."""
    from coreops.providers.namespace.lab import Lab

    Lab.open(name).chaos(node, action, wait=wait)


@app.command()
def logs(
    node: NodeArgument,
    name: NameOption = "lab",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on showing what comes.")] = False,
) -> None:
    """Show a node's console and what its firmware decided. (Its journal: coreops lab ssh NODE -- sudo journalctl.)"""
    from coreops.providers.namespace.lab import Lab
    from coreops.report.text import clean

    path = Lab.open(name).log(node)
    if follow:
        import os

        os.execvp("tail", ["tail", "-n", "+1", "-F", str(path)])
    typer.echo(clean(path.read_bytes().replace(b"\r\n", b"\n")), nl=False)


@app.command(
    epilog="\b\nExamples:\n  coreops lab image 1.1.0\n"
    '  coreops channel publish "$(coreops lab image 1.1.0)" --version 1.1.0 --channel stable'
)
def image(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="One of the lab's releases: 1.0.0 or 1.1.0.")],
    with_cloud_init: Annotated[
        bool, typer.Option("--cloud-init", help="The one for nodes of `lab up --user-data`.")
    ] = False,
    driver: DriverOption = None,
    extra: Annotated[str | None, typer.Option("--with", help="The one for nodes of `lab up --with docker`.")] = None,
    kernel: Annotated[
        bool, typer.Option("--kernel", help="The release's kernel instead; virtual machines with uefi boot it.")
    ] = False,
) -> None:
    """Print the path of a release's /usr image. Nodes start with 1.0.0; publish 1.1.0 and upgrade them to it."""
    from coreops.errors import InputError, did_you_mean
    from coreops.providers.namespace import driver as drivers
    from coreops.providers.namespace.flavour import CLOUD_INIT, of
    from coreops.providers.namespace.lab import DEFAULT_DRIVER
    from coreops.providers.namespace.recipe import RELEASES

    if release not in RELEASES:
        raise InputError(
            f"the lab has no release {release!r}",
            why=did_you_mean(release, RELEASES) or f"releases: {', '.join(RELEASES)}",
        )
    drivers.check(driver or DEFAULT_DRIVER, None)
    flavour = CLOUD_INIT if with_cloud_init else of(extra)
    if extra and (with_cloud_init or (driver or DEFAULT_DRIVER) != DEFAULT_DRIVER):
        raise InputError(f"there is no such image with {extra}", next="leave --cloud-init and --driver out")
    found = drivers.of(driver or DEFAULT_DRIVER).image(flavour)
    path = found.kernel_of(release) if kernel else found.usr(release)
    if path is None:
        raise InputError("namespace nodes have the host's kernel", next="leave --kernel out, or say --driver qemu")
    if not path.exists():
        raise InputError("the lab's images are not built yet", next="coreops lab up builds them")
    typer.echo(path)


box = app.command(epilog=_lab_vagrant.BOX_EXAMPLES)(_lab_vagrant.box)
vagrant = app.command(epilog=_lab_vagrant.VAGRANT_EXAMPLES)(_lab_vagrant.vagrant)
