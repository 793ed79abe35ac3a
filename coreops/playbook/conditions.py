"""Ansible's Jinja2 tests (``is changed``, ``is version(...)``), and what counts as true. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any

from coreops.playbook.pending import Pending, touch

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def truth(value: Any) -> bool:
    """Is a condition's value true? A text that spells a boolean (``-e enabled=no``) is that boolean."""
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower(), bool(value))
    return bool(value)


def _result(name: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Pending):
        touch(value)
    if not isinstance(value, Mapping):
        if hasattr(value, "fail"):
            value.fail()
        raise ValueError(f"'is {name}' wants a registered result, not {type(value).__name__} {value!r}")
    return value


def failed(value: Any) -> bool:
    """Did the task fail?"""
    return bool(_result("failed", value).get("failed", False))


def succeeded(value: Any) -> bool:
    """Did the task not fail?"""
    return not failed(value)


def changed(value: Any) -> bool:
    """Did the task, or an item of its loop, change something?"""
    result = _result("changed", value)
    if "changed" not in result and isinstance(result.get("results"), list):
        return any(item.get("changed", False) for item in result["results"] if isinstance(item, Mapping))
    return bool(result.get("changed", False))


def skipped(value: Any) -> bool:
    """Was the task skipped?"""
    return bool(_result("skipped", value).get("skipped", False))


def regex(
    value: Any, pattern: str = "", ignorecase: bool = False, multiline: bool = False, match_type: str = "search"
) -> bool:
    """Does a regular expression match?"""
    flags = (re.IGNORECASE if ignorecase else 0) | (re.MULTILINE if multiline else 0)
    return getattr(re.compile(pattern, flags), match_type)(str(value)) is not None


def match(value: Any, pattern: str = "", ignorecase: bool = False, multiline: bool = False) -> bool:
    """Does a regular expression match at the beginning?"""
    return regex(value, pattern, ignorecase, multiline, "match")


def _parts(version: str) -> list[int | str]:
    return [int(part) if part.isdigit() else part for part in re.findall(r"\d+|[a-z]+", version.lower())]


def _loose(left: str, right: str) -> int:
    for one, two in zip_longest(_parts(left), _parts(right)):
        if one == two:
            continue
        if one is None or two is None:
            longer = two if one is None else one
            sign = 1 if isinstance(longer, int) else -1
            return -sign if one is None else sign
        if isinstance(one, int) != isinstance(two, int):
            return 1 if isinstance(one, int) else -1
        return -1 if one < two else 1  # type: ignore[operator]
    return 0


_OPERATORS: dict[str, Callable[[int], bool]] = {
    **dict.fromkeys(("==", "=", "eq"), lambda order: order == 0),
    **dict.fromkeys(("!=", "<>", "ne"), lambda order: order != 0),
    **dict.fromkeys(("<", "lt"), lambda order: order < 0),
    **dict.fromkeys(("<=", "le"), lambda order: order <= 0),
    **dict.fromkeys((">", "gt"), lambda order: order > 0),
    **dict.fromkeys((">=", "ge"), lambda order: order >= 0),
}


def version(value: Any, other: Any, operator: str = "eq", strict: Any = None, version_type: Any = None) -> bool:
    """Compare version numbers: ``'3.6.1' is version('3.6', '>=')``. Letters (rc1) come before the release."""
    if operator not in _OPERATORS:
        raise ValueError(f"'is version' knows {', '.join(_OPERATORS)}; not {operator!r}")
    return _OPERATORS[operator](_loose(str(value).removeprefix("v"), str(other).removeprefix("v")))


def _truthy(value: Any, convert_bool: bool = False) -> bool:
    return truth(value) if convert_bool else bool(value)


TESTS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("failed", "failure"), failed),
    **dict.fromkeys(("succeeded", "success", "successful"), succeeded),
    **dict.fromkeys(("changed", "change"), changed),
    **dict.fromkeys(("skipped", "skip"), skipped),
    **dict.fromkeys(("version", "version_compare"), version),
    "match": match,
    "search": regex,
    "regex": regex,
    "truthy": _truthy,
    "falsy": lambda value, convert_bool=False: not _truthy(value, convert_bool),
    "subset": lambda value, other: set(value) <= set(other),
    "superset": lambda value, other: set(value) >= set(other),
    "contains": lambda value, element: element in value,
    "any": any,
    "all": all,
}
