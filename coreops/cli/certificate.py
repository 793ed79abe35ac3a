"""``coreops certificate NAME``: a server certificate that an inventory's nodes can trust. Flags and wiring only."""

from __future__ import annotations

from typing import Annotated

import typer

from coreops.cli import _options as options

_TAKEN = ("ca", "client")


def certificate(
    name: Annotated[str, typer.Argument(help="What it is for; its files are pki/NAME.crt and pki/NAME.key.")],
    san: Annotated[
        list[str], typer.Option("--san", metavar="NAME", help="A host name or an address it is called by; repeatable.")
    ],
    inventory: options.Inventory = None,
    as_json: options.Json = False,
) -> int:
    """Sign a server's certificate with the authority that coreops bootstrap made for this inventory.

    It proves a server to nodes and people who have pki/ca.crt; it opens no door: the store does not take it for a
    client. Run it again before it ends, or with other names: what is still good is kept.

        coreops certificate registry --san registry.example --san 10.0.0.5 -i inventories/prod
    """
    import json
    import re

    from coreops.cli.inventory import load
    from coreops.errors import InputError
    from coreops.store import pki
    from coreops.store.pki import Leaf

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name) or name in _TAKEN:
        why = "coreops keeps its own there" if name in _TAKEN else "it becomes the name of two files"
        raise InputError(f"{name!r} cannot be its name", why=why, next="use small letters, digits and hyphens")
    for each in san:
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+", each, re.ASCII):
            raise InputError(f"{each!r} is no host name and no address", where="--san", next="write it in plain ASCII")
    folder = load(inventory).base / "pki"
    if not (folder / "ca.crt").exists():
        raise InputError("the inventory has no authority yet", where=folder, next="coreops bootstrap makes it")
    made = pki.load(folder, [Leaf(name, name, tuple(san), client=False)])
    pki.save(made)
    ends = made.expires(name).date().isoformat()
    if as_json:
        files = {"certificate": str(folder / f"{name}.crt"), "key": str(folder / f"{name}.key")}
        typer.echo(json.dumps({"event": "certificate", **files, "ends": ends, "changed": bool(made.pending)}))
        return 0
    typer.echo(f"{folder / name}.crt, until {ends}: {'; '.join(made.reasons) or 'kept as it is'}")
    return 0
