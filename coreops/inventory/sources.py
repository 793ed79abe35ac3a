"""Which parser reads a source. A new kind of source (script, plugin, TOML) is one more entry here.

A parser takes the text of a file, its name for positions, and the draft it adds to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from coreops.errors import InputError
from coreops.inventory.draft import Draft
from coreops.inventory.ini_source import parse_ini
from coreops.model import Position

Parser = Callable[[str, str, Draft], None]


def parse_yaml(text: str, file: str, draft: Draft) -> None:
    """Read a YAML inventory; PyYAML is imported only when there is one."""
    from coreops.inventory import yaml_source

    yaml_source.parse_yaml(text, file, draft)


def parse_lookup(text: str, file: str, draft: Draft) -> None:
    """Read a file that says where machines are found."""
    from coreops.inventory import found

    found.parse_lookup(text, file, draft)


BY_SUFFIX: Mapping[str, Parser] = {
    ".yml": parse_yaml,
    ".yaml": parse_yaml,
    ".json": parse_yaml,
    ".ini": parse_ini,
}
"""Parsers by suffix; any other name is judged by its content."""

_NOT_YET: Mapping[str, str] = {".toml": "TOML inventories"}
_YAML_START = re.compile(r"""---(\s|$)|%YAML\b|\{|["']?[^\s=\["'][^=\["']*?["']?\s*:(\s|$)""")


def parser_for(suffix: str, text: str, file: str) -> Parser:
    """Return the parser for a file with this suffix and content."""
    if suffix in _NOT_YET:
        raise InputError(
            f"{_NOT_YET[suffix]} are not supported yet", where=Position(file), next="write it as YAML or INI"
        )
    if is_lookup(file):
        return parse_lookup
    return BY_SUFFIX.get(suffix) or sniff(text)


def is_lookup(file: str) -> bool:
    """Say whether a file of this name says where machines are found, rather than which there are."""
    return file.endswith((".coreops.yml", ".coreops.yaml"))


def explained(error: InputError, name: str) -> InputError:
    """What is wrong with a file that was only read because it lies in an inventory folder."""
    hint = f"if {name} is no inventory, move it out of the folder, or give it a suffix that is passed over, like .bak"
    why = error.why or "every file of an inventory folder is read as an inventory"
    return InputError(error.what, where=error.where, why=why, next=f"{error.next}; {hint}" if error.next else hint)


def sniff(text: str) -> Parser:
    """Judge by the first line that is neither empty nor a comment."""
    for line in text.splitlines():
        line = line.strip()
        if line and line[0] not in "#;":
            return parse_yaml if _YAML_START.match(line) else parse_ini
    return parse_ini
