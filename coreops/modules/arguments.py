"""Raw arguments of a task -> a module's typed arguments, and the types that several modules share."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, BeforeValidator, ValidationError

from coreops.errors import InputError, did_you_mean
from coreops.model import Position
from coreops.modules.base import Arguments, Module
from coreops.modules.mode import FileMode as FileMode

Locate = Callable[[str], Position]


def parse(
    module: Module[Any], raw: Mapping[str, Any] | str | None, position: Position, locate: Locate | None = None
) -> Arguments:
    """Validate what stands under ``module:`` in a task, after templating. locate: where the key of an argument stands.

    A text fills the module's free form, or is read as ``key=value`` pairs. Raises InputError for the first mistake.
    """
    raw = _mapping(module, raw, position)
    try:
        return module.arguments.model_validate(raw, by_alias=True, by_name=True)
    except ValidationError as error:
        _explain(module, error, position, locate)


def argument_names(module: Module[Any]) -> dict[str, tuple[str, ...]]:
    """Every argument and its aliases."""
    return {
        name: tuple(alias for alias in aliases_of(field) if alias != name)
        for name, field in module.arguments.model_fields.items()
        if not field.exclude
    }


def aliases_of(field: Any) -> tuple[str, ...]:
    """The names, besides the field's own, under which pydantic takes a field."""
    alias = field.validation_alias
    if alias is None:
        return ()
    return (alias,) if isinstance(alias, str) else tuple(str(choice) for choice in alias.choices)


def _mapping(module: Module[Any], raw: Mapping[str, Any] | str | None, position: Position) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if isinstance(raw, Mapping):
        return raw
    if not isinstance(raw, str):
        raise InputError(
            f"the arguments of {module.name} are neither a mapping nor a text",
            where=position,
            next=f"write `{module.name}:` and its arguments below it, one a line",
        )
    if module.free_form:
        return {module.free_form: raw}
    return key_values(raw, module.name, position)


def key_values(text: str, name: str, position: Position) -> dict[str, str]:
    """Read ``path=/etc/x mode=0644``, Ansible's short form."""
    pairs = {}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"cannot read the arguments of {name}", where=position, why=str(error)) from None
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.isidentifier():
            raise InputError(
                f"{name} takes no free text: {word!r}",
                where=position,
                next=f"write `{name}:` and its arguments below it, one a line",
            )
        pairs[key] = value
    return pairs


def _explain(module: Module[Any], error: ValidationError, position: Position, locate: Locate | None) -> NoReturn:
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    where = locate(name) if locate and name else position
    known = argument_names(module)
    if first["type"] == "extra_forbidden":
        words = [*known, *(alias for aliases in known.values() for alias in aliases)]
        raise InputError(
            f"{module.name} has no argument {name!r}",
            where=where,
            why=did_you_mean(name, words),
            next=f"its arguments are: {', '.join(sorted(known))}",
        ) from None
    if first["type"] == "missing":
        field = next((f for f, aliases in known.items() if name == f or name in aliases), name)
        raise InputError(f"{module.name} needs the argument {field!r}", where=position) from None
    message = str(first["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    what = f"{module.name}: {name}: {message}" if name else f"{module.name}: {message}"
    raise InputError(what, where=where) from None


def _words(value: object) -> object:
    """Ansible takes ``a,b`` for a list, and one thing for a list of it."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


def _node_path(value: str) -> str:
    if "\0" in value:
        raise ValueError("a path cannot hold a NUL byte")
    if not value.startswith("/"):
        hint = "write the home folder out" if value.startswith("~") else "there is no current folder on a node"
        raise ValueError(f"{value!r} is not an absolute path ({hint})")
    slash = "/" if value.endswith("/") and value.strip("/") else ""
    return posixpath.normpath(value).replace("//", "/", 1) + slash


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL byte, which no shell can carry")
    return value


def _name(value: str) -> str:
    if not value or value.startswith("-") or any(c.isspace() or c in ":,/\0" or not c.isprintable() for c in value):
        raise ValueError(f"{value!r} is not a name: no blanks, colons, commas or slashes, no - at the start")
    return value


Text = Annotated[str, AfterValidator(_no_nul)]
Words = Annotated[tuple[Text, ...], BeforeValidator(_words)]
NodePath = Annotated[str, AfterValidator(_node_path)]
Name = Annotated[str, AfterValidator(_name)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_words)]
