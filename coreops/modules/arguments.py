"""Raw arguments of a task -> a module's typed arguments, or the error that its writer sees."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.model import Position
from coreops.modules.base import Module
from coreops.modules.declared import Arguments, Mistake

Locate = Callable[[str], Position]


def parse(
    module: Module[Any], raw: Mapping[str, Any] | str | None, position: Position, locate: Locate | None = None
) -> Arguments:
    """Validate what stands under ``module:`` in a task, after templating. locate: where the key of an argument stands.

    A text fills the module's free form, or is read as ``key=value`` pairs. Raises InputError for the first mistake.
    """
    raw = _mapping(module, raw, position)
    try:
        return module.arguments.of(raw)
    except Mistake as mistake:
        where = locate(mistake.name) if locate and mistake.name else position
        raise explained(module, mistake, where) from None


def argument_names(module: Module[Any]) -> dict[str, tuple[str, ...]]:
    """Every argument and its aliases."""
    return {one.names[0]: one.names[1:] for one in module.arguments.declared.values()}


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


def explained(module: Module[Any], mistake: Mistake, where: Position) -> InputError:
    """What is wrong with an argument, as the operator sees it."""
    known = argument_names(module)
    if mistake.unknown:
        return InputError(
            f"{module.name} has no argument {mistake.name!r}",
            where=where,
            why=did_you_mean(mistake.name, module.arguments.names()),
            next=f"its arguments are: {', '.join(sorted(known))}",
        )
    if mistake.missing:
        return InputError(f"{module.name} needs the argument {mistake.name!r}", where=where)
    return InputError(
        f"{module.name}: {mistake.name}: {mistake}" if mistake.name else f"{module.name}: {mistake}", where=where
    )
