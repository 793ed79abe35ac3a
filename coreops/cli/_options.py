"""Options that several commands share: one spelling, one help text, one default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Inventory = Annotated[
    Path | None,
    typer.Option("--inventory", "-i", envvar="COREOPS_INVENTORY", help="Inventory file or folder."),
]
Limit = Annotated[str | None, typer.Option("--limit", "-l", metavar="PATTERN", help="Only these hosts.")]
Check = Annotated[bool, typer.Option("--check", "-C", help="Change nothing; say what would change.")]
Diff = Annotated[bool, typer.Option("--diff", "-D", help="Show what changes in files.")]
Tags = Annotated[list[str] | None, typer.Option("--tags", "-t", help="Only tasks with one of these tags.")]
SkipTags = Annotated[list[str] | None, typer.Option("--skip-tags", help="Not the tasks with one of these tags.")]
ExtraVars = Annotated[
    list[str] | None,
    typer.Option("--extra-vars", "-e", metavar="K=V|JSON|@FILE", help="Variables that win over all others."),
]
Forks = Annotated[
    int | None,
    typer.Option("--forks", "-f", min=1, help="Hosts at a time. Default: as many as this process may have open."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more; -vv: every step.")]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit XML file.")]
AcceptNew = Annotated[bool, typer.Option("--accept-new", help="Trust and record host keys seen for the first time.")]
User = Annotated[str | None, typer.Option("--user", "-u", help="SSH user where the inventory names none.")]
Key = Annotated[
    Path | None, typer.Option("--private-key", metavar="FILE", help="SSH key where the inventory names none.")
]
Transport = Annotated[str, typer.Option("--transport", help="paramiko, openssh or local.")]
AskBecomePass = Annotated[bool, typer.Option("--ask-become-pass", "-K", help="Ask for the sudo password once.")]
