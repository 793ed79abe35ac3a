"""From marked YAML to a Node; every mistake becomes an error with its place and a next step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from coreops.cloudconfig.marked import Marked
from coreops.cloudconfig.model.node import Node
from coreops.errors import InputError, counted, did_you_mean
from coreops.model import Position

_SHOWN = 10
_SECRET = "passw"
_NEEDS = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_ACCOUNT = "an absolute path without :"
_GROUP = "the name of one group, without : , / and blanks"
_TAKES = {
    "hostname": "letters, digits and - (no _), with dots between; an inventory says it for a host with node_hostname",
    "users.name": "small letters, digits, - and _, at most 32, a letter or _ first",
    "users.gecos": "leave out the :, which separates the fields of /etc/passwd",
    "users.homedir": _ACCOUNT,
    "users.shell": _ACCOUNT,
    "users.primary_group": _GROUP,
    "users.groups": _GROUP,
    "write_files.owner": "write USER or USER:GROUP",
    "write_files.permissions": 'three or four octal digits, such as "0644"',
    "coreos.units.name": "a name of a unit with its type, such as hello.service",
    "coreos.units.drop_ins.name": "a file name that ends in .conf",
}
"""What keys take, where their pattern would say it badly."""


def node_of(marked: Marked, host: str | None = None) -> Node:
    """Check and type a document. Raises InputError: the first mistake with its place, the others below it."""
    try:
        return Node.model_validate(marked.plain)
    except ValidationError as error:
        found = [_problem(marked, one) for one in error.errors(include_url=False)]
    found.sort(key=lambda one: (one[0].file, one[0].line, one[0].column))
    place, what, next_step = found[0]
    rest = [f"{where}: {text}" for where, text, _ in found[1:_SHOWN]]
    if len(found) > _SHOWN:
        rest.append(f"and {len(found) - _SHOWN} more")
    why = f"{counted(len(rest), 'more problem')}:\n    " + "\n    ".join(rest) if rest else None
    raise InputError(f"{what}{f' (host {host})' if host else ''}", where=place, why=why, next=next_step)


def _problem(marked: Marked, error: Any) -> tuple[Position, str, str | None]:
    path = [step for step in error["loc"] if step != "[key]"]
    path += error.get("ctx", {}).get("at", ()) if error["type"] == "wrong" else ()
    name = dotted(path)
    kind, value = error["type"], error["input"]
    if _SECRET in name:
        hashed = path[-1] == "passwd"
        what = (
            f"{name} must be {'a hash as crypt(5) makes it' if hashed else 'text on one line'} (the value is not shown)"
        )
        return marked.at(path), what, "make a hash with: openssl passwd -6" if hashed else None
    if kind == "extra_forbidden":
        known = _keys(tuple(step for step in path[:-1] if isinstance(step, str)))
        near = did_you_mean(str(path[-1]), known)
        return marked.at(path, key=True), f"unknown key {name}", near or f"keys here: {', '.join(known)}"
    place = marked.at(path)
    if kind == "missing":
        return place, f"{name} is missing", None
    if kind in _NEEDS:
        return place, f"{name} must be {_NEEDS[kind]}, not {_kind(value)}", _quote(kind, value)
    if kind == "literal_error":
        expected = error["ctx"]["expected"]
        return place, f"{name} must be {expected}, not {_short(value)}", _quote("string_type", value)
    if kind == "string_pattern_mismatch":
        pattern = f"it must match {error['ctx']['pattern']}"
        return place, f"{_short(value)} is not a value for {name}", _TAKES.get(_keyed(path), pattern)
    reason = error["msg"].removeprefix("Value error, ")
    return place, f"{name}: {reason}" if name else reason, None


def _keyed(path: Sequence[int | str]) -> str:
    return ".".join(step for step in path if isinstance(step, str))


def _quote(kind: str, value: Any) -> str | None:
    if kind != "string_type" or not isinstance(value, bool | int | float):
        return None
    if isinstance(value, bool):
        return "quote it: YAML reads on, off, yes and no without quotes as true and false"
    return "quote it: YAML reads 0644 and the like without quotes as numbers"


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, tuple | list) else _short(value)


def _short(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def dotted(path: Sequence[int | str]) -> str:
    """``coreos.units[0].name``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


@cache
def _keys(path: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that may stand below a path of keys."""
    model: type[BaseModel] = Node
    for step in path:
        field = model.model_fields.get(step)
        found = next(_models(field.annotation), None) if field else None
        if found is None:
            return ()
        model = found
    return tuple(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)
