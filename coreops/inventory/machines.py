"""What `coreops provision` learned of the machines it made, as variables that are weaker than all others.

The file is ``.coreops/machines.json`` beside the inventory; coreops writes it, nobody edits it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coreops.errors import InputError
from coreops.inventory.aliases import ALIASES
from coreops.inventory.data import Setting, Settings
from coreops.inventory.files import read_text
from coreops.model import Position

FILE = Path(".coreops", "machines.json")
FORMAT = 1
KINDS = ("private_ipv4", "public_ipv4", "private_ipv6", "public_ipv6")
HOST = "ansible_host"


def load_machines(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return what is known of each machine, by node; {} when nothing is. Raises InputError."""
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        found = json.loads(read_text(path))
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']!r}; this coreops knows {FORMAT}")
        return {node: {**each, **_checked(each)} for node, each in found["machines"].items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            "cannot be understood",
            where=Position(str(path)),
            why=f"{type(error).__name__}: {error}",
            next="move it away: `coreops provision` finds the machines by their marks and writes it anew",
        ) from None


def _checked(machine: Mapping[str, Any]) -> Mapping[str, Any]:
    """What every machine has. Raises KeyError, TypeError, ValueError."""
    return {name: str(machine[name]) for name in ("provider", "cluster", "id")} | {
        "addresses": dict(machine["addresses"])
    }


def read_machines(folder: Path) -> Mapping[str, Settings]:
    """Return the addresses of each machine as variables. Raises InputError."""
    where = Position(str(folder / FILE))
    return {
        node: {kind: Setting(each["addresses"][kind], where) for kind in KINDS if each["addresses"].get(kind)}
        for node, each in load_machines(folder).items()
    }


def learned(machine: Settings, written: Settings) -> Settings:
    """Return the variables of a machine, with how SSH reaches it where the operator has ``written`` nothing of that.

    Through a jump host that is the private address, else the public one if there is one.
    """
    addresses = [kind for kind in KINDS if kind in machine]
    if not addresses or any(name in written for name in ALIASES["address"]):
        return machine
    public_first = not any(name in written for name in ALIASES["proxy_jump"])
    order = sorted(addresses, key=lambda kind: (kind.startswith("public") != public_first, kind.endswith("6")))
    return {**machine, HOST: machine[order[0]]}
