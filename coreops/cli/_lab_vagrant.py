"""``coreops lab box`` and ``coreops lab vagrant``: flags and wiring. Reached through coreops.cli.lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from coreops.events import Event
    from coreops.providers.vagrant.lab_file import LabFile

BOX_EXAMPLES = (
    "\b\nExamples:\n  coreops lab box\n  vagrant box add --name coreops-lab coreops-lab.box\n"
    "  coreops lab box --user-data ignition\n  coreops lab box --check some.box"
)
VAGRANT_EXAMPLES = (
    "\b\nExamples:\n  coreops lab vagrant vagrant/lab.yml\n  coreops lab vagrant lab.yml --write inventory"
)


def _progress(event: Event) -> None:
    from coreops.events import Notice

    if isinstance(event, Notice):
        typer.echo(event.text, err=True)


def box(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where the box is written.")] = Path(
        "coreops-lab.box"
    ),
    user_data: Annotated[
        str, typer.Option("--user-data", metavar="KIND", help="What reads the user-data: cloud-init or ignition.")
    ] = "cloud-init",
    check: Annotated[
        Path | None, typer.Option("--check", metavar="BOX", help="Build nothing: see whether this box can be used.")
    ] = None,
) -> None:
    """Build a box for vagrant-libvirt: the lab's guest, with a kernel of its own and Debian's cloud-init or Ignition.

    Linux and root only. It boots by UEFI, and is set up by user-data alone: no well-known key gets in. With Ignition it
    boots with less work, and QEMU must be allowed to read the user-data itself.
    """
    from coreops.errors import InputError, did_you_mean
    from coreops.providers.vagrant.box import build, inspect
    from coreops.providers.vagrant.lab_file import OWN_BOXES

    if check is not None:
        typer.echo(f"{check}: a disk of {inspect(check)} GiB")
        return
    found = next(((box, reader) for box, reader in OWN_BOXES.items() if reader == user_data), None)
    if found is None:
        readers = tuple(OWN_BOXES.values())
        raise InputError(
            f"no box reads {user_data!r}",
            why=did_you_mean(user_data, readers),
            next=f"--user-data knows {', '.join(readers)}",
        )
    name, reader = found
    size = build(output, _progress, reader)
    typer.echo(f"{output}: a disk of {size} GiB")
    typer.echo(f"next: vagrant box add --force --name {name} {output}", err=True)


def vagrant(
    lab: Annotated[Path, typer.Argument(metavar="LAB.YML", help="The knobs of vagrant/Vagrantfile.")],
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="DIR", help="Write the inventory, with a key for core, to this folder too."),
    ] = None,
) -> None:
    """Check lab.yml, and print the machines it means as JSON. vagrant/Vagrantfile asks this before anything else."""
    from coreops.errors import InputError
    from coreops.providers.vagrant import inventory
    from coreops.providers.vagrant.lab_file import parse
    from coreops.yaml_marks import decode

    try:
        data = lab.read_bytes()
    except OSError as error:
        raise InputError(f"{lab} cannot be read", why=error.strerror) from None
    knobs = parse(decode(data, str(lab)), str(lab))
    if write is not None:
        inventory.write(knobs, lab, write)
    typer.echo(json.dumps(_told(knobs)))


def _told(lab: LabFile) -> dict[str, object]:
    from dataclasses import asdict

    from coreops.providers.vagrant.lab_file import machines

    return asdict(lab) | {"network": str(lab.network), "machines": [asdict(machine) for machine in machines(lab)]}
