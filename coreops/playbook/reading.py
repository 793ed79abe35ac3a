"""Typed readers of YAML nodes: a boolean, a list of names, a condition. Every mistake names its place. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from coreops.errors import InputError, did_you_mean
from coreops.model import Position
from coreops.playbook import keywords
from coreops.playbook.conditions import truth
from coreops.playbook.plays import Placed
from coreops.playbook.source import Node
from coreops.playbook.values import Constant, Text, Value, has_template, prepare

_BOOLEANS = frozenset({"true", "false", "yes", "no", "on", "off"})


def fields(node: Node, what: str) -> dict[str, Node]:
    """The entries of a mapping whose keys are words."""
    if not isinstance(node.value, dict):
        raise node.error(f"{what} is a mapping of keywords", why=f"this is {_kind(node)}")
    for key in node.items:
        if not isinstance(key, str):
            raise InputError(f"{key!r} cannot be a keyword", where=node.keys[key])
    return dict(node.items)


def unknown(word: str, where: Position, what: str, known: Iterable[str], later: Iterable[str]) -> InputError:
    """The error for a keyword that is not understood: a typo, or something not supported yet."""
    if word in set(later):
        return InputError(
            f"{word!r} is not supported yet", where=where, why="Ansible knows it, coreops does not", next=_instead(word)
        )
    known = sorted(known)
    near = did_you_mean(word, known)
    return InputError(f"unknown keyword {word!r} in {what}", where=where, why=near, next=f"known: {', '.join(known)}")


def _instead(word: str) -> str | None:
    return keywords.INSTEAD.get(word)


def check_words(node: Node, what: str, known: Iterable[str], later: Iterable[str] = ()) -> dict[str, Node]:
    """Like ``fields``, and every key is one of ``known``."""
    found = fields(node, what)
    known = set(known)
    for key in found:
        if key not in known:
            raise unknown(key, node.keys[key], what, known, later)
    return found


def items(node: Node, what: str) -> tuple[Node, ...]:
    """The elements of a list; nothing is an empty list."""
    if node.value is None:
        return ()
    if not isinstance(node.value, list):
        raise node.error(f"{what} is a list", why=f"this is {_kind(node)}", next="begin each entry with '- '")
    return node.elements


def placed(node: Node) -> Placed:
    """Any value, templates allowed."""
    return Placed(prepare(node), node.position)


def text(node: Node, what: str) -> str:
    """A plain text without templates."""
    if isinstance(node.value, bool) or not isinstance(node.value, (str, int, float)):
        raise node.error(f"{what} is a text", why=f"this is {_kind(node)}")
    if has_template(str(node.value)):
        raise node.error(f"{what} cannot hold a template", next="write it out")
    return str(node.value)


def identifier(node: Node, what: str) -> str:
    """A variable's name."""
    name = text(node, what)
    if not name.isidentifier():
        raise node.error(f"{what} is a variable name, not {name!r}", next="use letters, digits and _ only")
    return name


def words(node: Node, what: str) -> tuple[str, ...]:
    """``a,b`` or a list of texts."""
    if node.value is None:
        return ()
    if isinstance(node.value, list):
        return tuple(word for child in node.elements for word in words(child, what))
    return tuple(word.strip() for word in text(node, what).split(",") if word.strip())


def boolean(node: Node, what: str) -> bool:
    """A boolean that is known now."""
    if isinstance(node.value, bool):
        return node.value
    if isinstance(node.value, str) and node.value.lower() in _BOOLEANS:
        return truth(node.value)
    raise node.error(f"{what} is true or false", why=f"this is {_kind(node)}")


def flag(node: Node, what: str) -> Placed:
    """A boolean, or a template that yields one."""
    if isinstance(node.value, str) and has_template(node.value):
        return placed(node)
    return Placed(Constant(boolean(node, what)), node.position)


def number(node: Node, what: str) -> Placed:
    """A number that is not negative, or a template that yields one."""
    if isinstance(node.value, str) and has_template(node.value):
        return placed(node)
    try:
        value = float(node.value) if not isinstance(node.value, bool) else -1.0
    except (TypeError, ValueError):
        value = -1.0
    if not 0 <= value < float("inf"):
        raise node.error(f"{what} is a number, zero or more", why=f"this is {_kind(node)}")
    return Placed(Constant(value), node.position)


def conditions(node: Node, what: str) -> tuple[Placed, ...]:
    """One condition or a list of them, all of which must hold."""
    if isinstance(node.value, list):
        return tuple(each for child in node.elements for each in conditions(child, what))
    return (Placed(_condition(node, what), node.position),)


def _condition(node: Node, what: str) -> Value:
    value = node.value
    if isinstance(value, (bool, int, float)):
        return Constant(bool(value))
    if not isinstance(value, str) or not value.strip():
        raise node.error(f"{what} is an expression, true or false", why=f"this is {_kind(node)}")
    if not has_template(value):
        if value.strip().lower() in _BOOLEANS:
            return Constant(truth(value.strip()))
        condition = Text(value.strip(), node.position, bare=True)
    else:
        condition = Text(value, node.position)
        try:
            bare = Text(value.strip(), node.position, bare=True)
            bare.compiled()
            return bare
        except InputError:
            pass
        if not condition.compiled().native:
            raise node.error(f"{what} is an expression", next="write it without {{ }}: variables are named as they are")
    condition.compiled()
    return condition


def variables(node: Node, what: str) -> dict[str, Value]:
    """A mapping of variable names to values."""
    if node.value is None:
        return {}
    found = {}
    for name, child in fields(node, what).items():
        if not name.isidentifier():
            raise InputError(
                f"{name!r} cannot be a variable's name", where=node.keys[name], next="use letters, digits and _ only"
            )
        found[name] = prepare(child)
    return found


def _kind(node: Node) -> str:
    value = node.value
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)
