"""Options that the commands about machines share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[Path, typer.Argument(envvar="COREOPS_INVENTORY", help="Inventory file or folder.")]
Target = Annotated[
    str | None,
    typer.Option("--target", "-t", metavar="TARGET", help="Of user-data, where NAME_target is not set."),
]
Platform = Annotated[
    str | None,
    typer.Option("--platform", "-p", help="Of user-data, where NAME_platform is not set."),
]
AllowLoss = Annotated[bool, typer.Option("--allow-loss", help="Go on without keys that the target cannot express.")]
AllowSecrets = Annotated[bool, typer.Option("--allow-secrets", help="Go on with secrets in user-data.")]
Forks = Annotated[int, typer.Option("--forks", "-f", min=1, max=100, help="Machines at a time.")]
LoseQuorum = Annotated[
    bool, typer.Option("--lose-quorum", help="Go on though the store loses its quorum, or cannot be asked.")
]
Yes = Annotated[
    int | None, typer.Option("--yes", min=0, metavar="COUNT", help="Do not ask, if it is exactly this many.")
]
