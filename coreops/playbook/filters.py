"""Ansible's common Jinja2 filters. Pure functions of their arguments; heavy parsers are imported when first used."""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from itertools import product, zip_longest
from typing import Any

from jinja2 import pass_environment

from coreops.playbook.conditions import truth
from coreops.playbook.pending import Pending, touch


def _encode(value: Any) -> Any:
    """json's way out: things that are no plain data."""
    if isinstance(value, Pending):
        touch(value)
    if hasattr(value, "fail"):
        value.fail()
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "__iter__"):
        return list(value)
    raise TypeError(f"{type(value).__name__} is no plain data")


def to_json(value: Any, **options: Any) -> str:
    """Text in JSON, on one line."""
    return json.dumps(value, **{"default": _encode, **options})


def to_nice_json(value: Any, indent: int = 4, sort_keys: bool = True, **options: Any) -> str:
    """Text in JSON, indented."""
    return to_json(value, indent=indent, sort_keys=sort_keys, separators=(",", ": "), **options)


def _yaml(value: Any, **options: Any) -> str:
    import yaml

    plain = json.loads(to_json(value))
    text = yaml.safe_dump(plain, **{"allow_unicode": True, "width": 1_000_000, **options})
    return str(text)


def to_yaml(value: Any, default_flow_style: bool | None = None, **options: Any) -> str:
    """Text in YAML."""
    return _yaml(value, default_flow_style=default_flow_style, **options)


def to_nice_yaml(value: Any, indent: int = 4, **options: Any) -> str:
    """Text in YAML, one field a line."""
    return _yaml(value, default_flow_style=False, indent=indent, **options)


def from_yaml(value: Any) -> Any:
    """Data from a text in YAML."""
    import yaml

    return yaml.safe_load(value) if isinstance(value, str) else value


def from_yaml_all(value: Any) -> Any:
    """Data from a text with several YAML documents."""
    import yaml

    return list(yaml.safe_load_all(value)) if isinstance(value, str) else value


def to_bool(value: Any) -> Any:
    """``yes``, ``on``, ``1`` and ``true`` are true; everything else is false; None stays None."""
    if value is None or isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    return text in ("yes", "on", "1", "true") or (isinstance(value, int) and value == 1)


def mandatory(value: Any, msg: str | None = None) -> Any:
    """Fail when the value is not defined."""
    if hasattr(value, "fail"):
        if msg:
            raise ValueError(msg)
        value.fail()
    return value


def _flags(ignorecase: bool, multiline: bool) -> int:
    return (re.IGNORECASE if ignorecase else 0) | (re.MULTILINE if multiline else 0)


def regex_replace(
    value: Any = "",
    pattern: str = "",
    replacement: str = "",
    ignorecase: bool = False,
    multiline: bool = False,
    count: int = 0,
    mandatory_count: int = 0,
) -> str:
    """Replace what a regular expression finds; \\1 and \\g<name> refer to groups."""
    text, times = re.subn(pattern, replacement, str(value), count=count, flags=_flags(ignorecase, multiline))
    if times < mandatory_count:
        raise ValueError(f"regex_replace replaced {times} times, {mandatory_count} are mandatory")
    return text


def regex_search(value: Any, pattern: str, *groups: str, ignorecase: bool = False, multiline: bool = False) -> Any:
    """The first match, or the groups asked for (``'\\1'``, ``'\\g<name>'``); None when nothing matches."""
    found = re.search(pattern, str(value), _flags(ignorecase, multiline))
    if found is None:
        return None
    if not groups:
        return found.group()
    wanted: list[str | int] = []
    for group in groups:
        name = re.fullmatch(r"\\g<(\S+)>", group)
        number = re.fullmatch(r"\\(\d+)", group)
        if not name and not number:
            raise ValueError(f"regex_search: unknown group {group!r}")
        wanted.append(name[1] if name else int(number[1]) if number else 0)
    return [found.group(each) for each in wanted]


def regex_findall(value: Any, pattern: str, multiline: bool = False, ignorecase: bool = False) -> list[Any]:
    """Every match."""
    return re.findall(pattern, str(value), _flags(ignorecase, multiline))


def combine(*terms: Any, recursive: bool = False, list_merge: str = "replace") -> dict[Any, Any]:
    """Merge mappings; later ones win."""
    mappings: list[Any] = []
    for term in terms:
        mappings.extend(term if isinstance(term, list) else [term])
    merged: dict[Any, Any] = {}
    for mapping in mappings:
        if hasattr(mapping, "fail"):
            mapping.fail()
        if not isinstance(mapping, Mapping):
            raise ValueError(f"combine takes mappings, not {type(mapping).__name__}")
        merged = _merge(merged, mapping, recursive, list_merge)
    return merged


def _merge(one: Mapping[Any, Any], two: Mapping[Any, Any], recursive: bool, lists: str) -> dict[Any, Any]:
    merged = dict(one)
    for key, new in two.items():
        old = merged.get(key)
        if recursive and isinstance(old, Mapping) and isinstance(new, Mapping):
            merged[key] = _merge(old, new, recursive, lists)
        elif isinstance(old, list) and isinstance(new, list):
            if lists not in _LISTS:
                raise ValueError(f"combine: list_merge is one of {', '.join(_LISTS)}; not {lists!r}")
            merged[key] = _LISTS[lists](old, new)
        else:
            merged[key] = new
    return merged


_LISTS: dict[str, Callable[[list[Any], list[Any]], list[Any]]] = {
    "replace": lambda old, new: new,
    "keep": lambda old, new: old,
    "append": lambda old, new: old + new,
    "prepend": lambda old, new: new + old,
    "append_rp": lambda old, new: [each for each in old if each not in new] + new,
    "prepend_rp": lambda old, new: new + [each for each in old if each not in new],
}


def dict2items(value: Mapping[Any, Any], key_name: str = "key", value_name: str = "value") -> list[dict[str, Any]]:
    """A list of key and value."""
    if not isinstance(value, Mapping):
        raise ValueError(f"dict2items takes a mapping, not {type(value).__name__}")
    return [{key_name: key, value_name: part} for key, part in value.items()]


def items2dict(value: Iterable[Any], key_name: str = "key", value_name: str = "value") -> dict[Any, Any]:
    """The opposite of dict2items."""
    return {item[key_name]: item[value_name] for item in value}


def ternary(value: Any, true_value: Any, false_value: Any, none_value: Any = None) -> Any:
    """One of two values."""
    if value is None and none_value is not None:
        return none_value
    return true_value if truth(value) else false_value


def digest(value: Any, hashtype: str = "sha1") -> str:
    """A hash of the text."""
    try:
        return hashlib.new(hashtype, str(value).encode(), usedforsecurity=False).hexdigest()
    except ValueError:
        raise ValueError(f"hash: unknown type {hashtype!r}") from None


def unique(value: Iterable[Any], case_sensitive: bool | None = None, attribute: Any = None) -> list[Any]:
    """Each value once, in order."""
    seen: list[Any] = []
    kept: list[Any] = []
    for item in value:
        key = item[attribute] if attribute is not None else item
        key = key.lower() if case_sensitive is False and isinstance(key, str) else key
        if key not in seen:
            seen.append(key)
            kept.append(item)
    return kept


def flatten(value: Iterable[Any], levels: int | None = None, skip_nulls: bool = True) -> list[Any]:
    """Lists within lists, made one."""
    flat: list[Any] = []
    for item in value:
        if skip_nulls and item in (None, "None", "null"):
            continue
        if isinstance(item, (list, tuple)) and levels != 0:
            flat.extend(flatten(item, None if levels is None else levels - 1, skip_nulls))
        else:
            flat.append(item)
    return flat


@pass_environment
def extract(environment: Any, item: Any, container: Any, morekeys: Any = None) -> Any:
    """``names | map('extract', hostvars, 'ansible_host')``."""
    for key in [item, *([] if morekeys is None else morekeys if isinstance(morekeys, list) else [morekeys])]:
        container = environment.getitem(container, key)
    return container


def subelements(value: Any, key: str, skip_missing: bool = False) -> list[Any]:
    """Pairs of an element and each of its sub-elements."""
    found: list[Any] = []
    for element in value.values() if isinstance(value, Mapping) else value:
        inner: Any = element
        for part in key.split("."):
            if not isinstance(inner, Mapping) or part not in inner:
                if skip_missing:
                    inner = []
                    break
                raise ValueError(f"subelements: {part!r} is missing")
            inner = inner[part]
        found.extend((element, each) for each in inner)
    return found


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def split(value: Any, separator: str | None = None, maxsplit: int = -1) -> list[str]:
    """Split a text."""
    return str(value).split(separator, maxsplit)


def path_join(value: Any) -> str:
    """Join the parts of a path."""
    return value if isinstance(value, str) else posixpath.join(*value)


def _members(other: Any) -> list[Any]:
    return list(other)


FILTERS: dict[str, Callable[..., Any]] = {
    "b64decode": lambda value, encoding="utf-8": base64.b64decode(_text(value), validate=True).decode(encoding),
    "b64encode": lambda value, encoding="utf-8": base64.b64encode(_text(value)).decode(),
    "basename": lambda value: posixpath.basename(str(value)),
    "bool": to_bool,
    "checksum": digest,
    "combine": combine,
    "dict2items": dict2items,
    "difference": lambda value, other: [each for each in unique(value) if each not in _members(other)],
    "dirname": lambda value: posixpath.dirname(str(value)),
    "extract": extract,
    "flatten": flatten,
    "from_json": lambda value: json.loads(value) if isinstance(value, str) else value,
    "from_yaml": from_yaml,
    "from_yaml_all": from_yaml_all,
    "hash": digest,
    "intersect": lambda value, other: [each for each in unique(value) if each in _members(other)],
    "items2dict": items2dict,
    "mandatory": mandatory,
    "md5": lambda value: digest(value, "md5"),
    "path_join": path_join,
    "product": lambda value, *others: [list(each) for each in product(value, *others)],
    "quote": lambda value: shlex.quote("" if value is None else str(value)),
    "regex_escape": lambda value, re_type="python": re.escape(str(value)),
    "regex_findall": regex_findall,
    "regex_replace": regex_replace,
    "regex_search": regex_search,
    "sha1": digest,
    "sha256": lambda value: digest(value, "sha256"),
    "split": split,
    "splitext": lambda value: list(posixpath.splitext(str(value))),
    "subelements": subelements,
    "symmetric_difference": lambda value, other: (
        [each for each in unique(value) if each not in _members(other)]
        + [each for each in unique(other) if each not in _members(value)]
    ),
    "ternary": ternary,
    "to_json": to_json,
    "to_nice_json": to_nice_json,
    "to_nice_yaml": to_nice_yaml,
    "to_yaml": to_yaml,
    "type_debug": lambda value: type(value).__name__,
    "union": lambda value, other: unique([*value, *other]),
    "unique": unique,
    "zip": lambda value, *others: [list(each) for each in zip(value, *others, strict=False)],
    "zip_longest": lambda value, *others, fillvalue=None: [
        list(each) for each in zip_longest(value, *others, fillvalue=fillvalue)
    ],
}
