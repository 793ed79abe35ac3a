"""Reads group_vars/ and host_vars/ of one folder, the files Ansible would read, in its order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreops.errors import InputError
from coreops.inventory.data import Setting, Settings, VarsFolder
from coreops.inventory.files import cannot_read, read_text
from coreops.inventory.names import check_variable
from coreops.model import Position

if TYPE_CHECKING:
    from yaml.nodes import MappingNode

    from coreops.inventory.yaml_nodes import Builder

SUFFIXES = ("", ".yml", ".yaml", ".json")
"""For one name only the first of these that exists counts; without suffix it may be a folder of files."""


def read_vars_folder(folder: Path, groups: Iterable[str], hosts: Iterable[str]) -> VarsFolder:
    """Read the files for these groups and hosts. Raises InputError for one that is not a YAML mapping."""
    return VarsFolder(_read_all(folder / "group_vars", groups), _read_all(folder / "host_vars", hosts))


def _read_all(folder: Path, names: Iterable[str]) -> Mapping[str, tuple[Settings, ...]]:
    try:
        present = {entry.name for entry in os.scandir(folder)}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise cannot_read(folder, error) from None
    found: dict[str, tuple[Settings, ...]] = {}
    for name in names:
        chosen = next((name + suffix for suffix in SUFFIXES if name + suffix in present), None)
        if chosen is not None and (layers := tuple(_read_file(path) for path in _files(folder / chosen))):
            found[name] = layers
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    try:
        children = sorted(path.iterdir(), key=lambda child: child.name)
    except OSError as error:
        raise cannot_read(path, error) from None
    for child in children:
        if child.name.startswith(".") or child.name.endswith("~"):
            continue
        if child.is_dir():
            found += [] if child.suffix else _files(child)
        elif child.is_file() and child.suffix in SUFFIXES:
            found.append(child)
    return found


def _read_file(path: Path) -> Settings:
    file, text = str(path), read_text(path)
    if text.startswith("$ANSIBLE_VAULT"):
        raise InputError(
            "files encrypted with ansible-vault are not supported yet", where=Position(file), next="decrypt it first"
        )
    from yaml.nodes import MappingNode

    from coreops.inventory.yaml_nodes import Builder, compose

    root = compose(text, file)
    if root is None or root.tag == "tag:yaml.org,2002:null":
        return {}
    build = Builder(file)
    if not isinstance(root, MappingNode):
        raise InputError("variables must be a mapping", where=build.at(root), next="write name: value")
    return _settings(build, root)


def _settings(build: Builder, root: MappingNode) -> Settings:
    settings: dict[str, Setting] = {}
    for entry in build.entries(root):
        where = build.at(entry.key_node)
        settings[_name(entry.key, where)] = Setting(build.value(entry.value), where)
    return settings


def _name(key: Any, where: Position) -> str:
    if isinstance(key, str):
        check_variable(key, where)
        return key
    raise InputError(f"the variable name {key!r} is not text", where=where, next=f'quote it: "{key}"')
