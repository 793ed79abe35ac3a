"""``--extra-vars``: ``K=V K=V``, a JSON or YAML mapping, or ``@FILE`` with one, as Ansible takes them. Reads files."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from coreops.errors import InputError

_WHERE = "--extra-vars"
_NEXT = "write K=V, a JSON object, or @FILE"


def parse_extra_vars(texts: Iterable[str]) -> dict[str, Any]:
    """Return the variables of all texts; later ones win. Values of K=V are text. Raises InputError."""
    merged: dict[str, Any] = {}
    for text in texts:
        merged.update(_parse(text))
    for name in merged:
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError(f"{name!r} is not a variable name", where=_WHERE, next="use letters, digits and _")
    return merged


def _parse(text: str) -> dict[str, Any]:
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            return _mapping(path.read_text(), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {path}", where=_WHERE, why=str(error)) from error
    if text.lstrip().startswith("{"):
        return _mapping(text, _WHERE)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"cannot read {text!r}", where=_WHERE, why=str(error), next=_NEXT) from error
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"{word!r} has no '='", where=_WHERE, next=_NEXT)
        found[name] = value
    return found


def _mapping(text: str, where: str) -> dict[str, Any]:
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError("not valid YAML or JSON", where=where, why=" ".join(str(error).split()), next=_NEXT) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"expected a mapping, found {type(value).__name__}", where=where, next=_NEXT)
    return value
