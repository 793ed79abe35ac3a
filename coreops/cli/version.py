"""``coreops version``."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def version(
    as_json: Annotated[bool, typer.Option("--json", help="Versions as one JSON object.")] = False,
) -> None:
    """Print the version."""
    import platform

    from coreops import __version__

    if as_json:
        typer.echo(json.dumps({"coreops": __version__, "python": platform.python_version()}))
    else:
        typer.echo(f"coreops {__version__}")
