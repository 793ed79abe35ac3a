"""Shared by the inventory tests: files from text, and errors as one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.inventory import Inventory, load_inventory
from coreops.inventory.draft import Draft
from coreops.inventory.ini_source import parse_ini
from coreops.inventory.yaml_source import parse_yaml


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files below ``folder`` and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def from_yaml(text: str) -> Inventory:
    """An inventory of YAML text, file name ``f``, without vars files."""
    draft = Draft()
    parse_yaml(text, "f", draft)
    return Inventory(*draft.finish(), Path("/nowhere"))


def from_ini(text: str) -> Inventory:
    """An inventory of INI text, file name ``f``, without vars files."""
    draft = Draft()
    parse_ini(text, "f", draft)
    return Inventory(*draft.finish(), Path("/nowhere"))


def refused(path: Path) -> str:
    """The error that loading ``path`` ends with."""
    with pytest.raises(InputError) as caught:
        load_inventory(path)
    return str(caught.value)
