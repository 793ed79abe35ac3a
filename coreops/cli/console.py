"""``coreops console NODE``: what a machine writes to its console. Flags and wiring only."""

from __future__ import annotations

import codecs
import sys
from typing import Annotated

import typer

from coreops.cli import _options as options


def console(
    node: Annotated[str, typer.Argument(metavar="NODE", help="A host of the inventory.")],
    inventory: options.Inventory = None,
) -> int:
    """Show what a machine that coreops made writes to its console, as far as its provider can tell.

    A terminal gets text without control sequences; a pipe gets every byte.
    """
    from coreops.cli import _provision as shared
    from coreops.cli.inventory import load
    from coreops.report.text import clean

    share, machine = shared.machine_of(load(inventory).as_written(), node)
    text = codecs.getincrementaldecoder("utf-8")("backslashreplace") if sys.stdout.isatty() else None
    for chunk in share.provider.console(machine):
        if text is None:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        else:
            typer.echo(clean(text.decode(chunk)), nl=False)
    return 0
