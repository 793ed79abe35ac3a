"""``load_inventory``: a file or a folder on the controller becomes an Inventory. The only way in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from coreops.errors import InputError, did_you_mean
from coreops.inventory.draft import Draft
from coreops.inventory.files import cannot_read, expand_home, inventory_files, read_inventory
from coreops.inventory.inventory import Inventory
from coreops.inventory.machines import read_machines
from coreops.inventory.sources import BY_SUFFIX, explained, is_lookup, parser_for
from coreops.inventory.vars_files import read_vars_folder
from coreops.model import Position

if TYPE_CHECKING:
    from coreops.inventory.lookup import Lookup


def load_inventory(source: Path | str) -> Inventory:
    """Read an inventory file, or every inventory file of a folder in name order, and the vars files beside it.

    Raises InputError: unreadable, not valid, cyclic, or without a host.
    """
    path = expand_home(Path(source))
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise _missing(path) from None
    except OSError as error:
        raise cannot_read(path, error) from None
    folder = path if path.is_dir() else path.parent
    files = list(inventory_files(path)) if path.is_dir() else [path]
    draft = Draft()
    for file in files:
        try:
            text, name = read_inventory(file), str(file)
            parser_for(file.suffix, text, name)(text, name, draft)
        except InputError as error:
            if file == path or file.suffix in BY_SUFFIX:
                raise
            raise explained(error, file.name) from None
    if not draft.hosts:
        raise InputError(
            "the inventory has no hosts",
            where=Position(str(path)),
            why=None if files else "no file in the folder is an inventory",
            next="add a host: `all: {hosts: {n1: {ansible_host: 10.0.0.1}}}` in a file hosts.yml",
        )
    hosts, groups = draft.finish()
    base = Path(os.path.abspath(folder))
    machines = {**read_machines(folder), **draft.found}
    return Inventory(hosts, groups, base, (read_vars_folder(folder, groups, hosts),), machines)


def lookups(source: Path | str) -> tuple[Lookup, ...]:
    """Return those files of an inventory that say where machines are found. Raises InputError."""
    path = expand_home(Path(source))
    files = inventory_files(path) if path.is_dir() else (path,)
    found = [file for file in files if is_lookup(file.name) and file.is_file()]
    if not found:
        return ()
    from coreops.inventory.lookup import read_lookup

    return tuple(read_lookup(read_inventory(file), str(file)) for file in found)


def _missing(path: Path) -> InputError:
    near = None
    if "," in str(path):
        near = "lists of hosts on the command line are not supported yet: write them to a file"
    elif path.parent.is_dir():
        near = did_you_mean(path.name, sorted(os.listdir(path.parent)))
    return InputError("no such inventory", where=Position(str(path)), next=near or "give a file or folder with -i")
