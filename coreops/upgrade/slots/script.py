"""The sh files of the folder ``scripts``, put together and given their values: what a node is sent. Pure."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from coreops.shell.quote import q
from coreops.upgrade.guard import FOLDER

_FOLDER = Path(__file__).with_name("scripts")


@cache
def _text(name: str) -> str:
    """A file without its comment lines: they would travel with every step."""
    lines = (_FOLDER / f"{name}.sh").read_text(encoding="utf-8").splitlines()
    return "".join(f"{line}\n" for line in lines if not line.lstrip().startswith("#"))


def header(**values: str | int) -> str:
    """What every script begins with; ``values`` become variables."""
    head = [f"export LC_ALL=C\nfolder={q(FOLDER)}\n"]
    head += [f"{name}={q(str(value))}\n" for name, value in values.items()]
    return "".join(head)


def script(*names: str, **values: str | int) -> str:
    """The files one after the other, behind the header and their common functions."""
    return "".join([header(**values), *(_text(name) for name in ("gpt", "slots", "gptprio", "sdboot", *names))])
