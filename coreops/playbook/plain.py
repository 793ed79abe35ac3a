"""Texts whose only templates are ``{{ name }}``: most of a playbook's, filled in without compiling them by Jinja2.

Knows only names whose value is a plain text or number; whatever else is met, Jinja2 decides.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coreops.playbook.vars import Scope

# No "\r", which Jinja2 turns into "\n"; no lone brace, which may begin or end something else.
_PLAIN = re.compile(r"(?:[^{}\r]|\{\{ *[A-Za-z_][A-Za-z0-9_]* *\}\})*")
_NAME = re.compile(r"\{\{ *([A-Za-z_][A-Za-z0-9_]*) *\}\}")
_RESERVED = "true false none True False None not and or in is if else self super loop caller varargs kwargs"
_WORDS = frozenset(_RESERVED.split())
_VALUES = (str, int, float)
UNKNOWN = object()


def split(source: str) -> tuple[str, ...] | None:
    """Literal text and names by turns, beginning with a text; None when Jinja2 is needed."""
    if not _PLAIN.fullmatch(source):
        return None
    parts = tuple(_NAME.split(source))
    return None if _WORDS.intersection(parts[1::2]) else parts


def fill(parts: tuple[str, ...], scope: Scope) -> Any:
    """The text, or what a lone name is worth; UNKNOWN when Jinja2 must say."""
    values = []
    for name in parts[1::2]:
        value = scope.resolve(name, UNKNOWN)
        if type(value) not in _VALUES:
            return UNKNOWN
        values.append(value)
    if len(parts) == 3 and not parts[0] and not parts[2]:
        return values[0]
    words = list(parts)
    words[1::2] = map(str, values)
    return "".join(words)
