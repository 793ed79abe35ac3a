"""``--extra-vars`` as Ansible takes it: ``k=v k2="a b"``, JSON, YAML, or ``@file``. Reads the files named."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from coreops.errors import InputError
from coreops.playbook import freeform
from coreops.playbook.source import Node, parse_yaml, read_yaml


def parse_extra_vars(texts: Iterable[str]) -> dict[str, Any]:
    """Merge all ``--extra-vars``; later ones win. Values of ``k=v`` are texts. Raises InputError."""
    merged: dict[str, Any] = {}
    for text in texts:
        merged.update(_one(text.strip()))
    return merged


def _one(text: str) -> dict[str, Any]:
    if text.startswith("@"):
        return _mapping(read_yaml(Path(text[1:]).expanduser()), text[1:])
    if text.startswith(("{", "[", "---")):
        return _mapping(parse_yaml(text, "--extra-vars"), "--extra-vars")
    try:
        return dict(freeform.pairs(text))
    except ValueError as error:
        raise InputError(
            "cannot read --extra-vars",
            where="--extra-vars",
            why=str(error),
            next="write name=value, '{\"name\": ...}' in JSON, or @file.yml",
        ) from None


def _mapping(node: Node | None, where: str) -> dict[str, Any]:
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        raise InputError("extra vars are a mapping of names to values", where=node.position or where)
    for key in node.items:
        if not isinstance(key, str) or not key.isidentifier():
            raise InputError(f"{key!r} cannot be a variable's name", where=node.keys[key])
    return dict(node.value)
