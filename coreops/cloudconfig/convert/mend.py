"""What coreos-cloudinit made of what it read, where the node model is stricter: the last of two files wins, and so on.

Sources: coreos-cloudinit initialize/config.go (order, what is skipped), system/{file,env,ssh_key,user}.go.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from posixpath import normpath

from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.parts import below, items, put, put_below, text
from coreops.cloudconfig.convert.units import mend_units
from coreops.cloudconfig.convert.users import mend_users, split_keys
from coreops.cloudconfig.marked import Marked
from coreops.errors import InputError

_OPTIONS = ("etcd", "etcd2", "fleet", "flannel", "locksmith")
_MODES = re.compile(r"[-+]?[0-7]+")
_WINDOW = re.compile(r"(?:(?i:(sun|mon|tue|wed|thu|fri|sat)) )?0*([0-9]{1,2}):0*([0-9]{1,2})")


def mend(tree: Marked, notes: list[Note]) -> Marked:
    """Return the document in the node's shape; notes grow by what the old machine did otherwise than it is written."""
    steps: tuple[Callable[[Marked, list[Note]], Marked], ...] = (_lines, _keys, mend_users, _files, _sections)
    for step in (*steps, mend_units, _texts):
        tree = step(tree, notes)
    return tree


def _lines(tree: Marked, notes: list[Note], name: str = "") -> Marked:
    """Texts without the line break that a block scalar leaves at their end. Contents and keys keep theirs."""
    if isinstance(tree.value, dict):
        for key, each in tree.value.items():
            if key not in ("content", "ssh_authorized_keys"):
                tree = put(tree, key, _lines(each, notes, f"{name}.{key}".lstrip(".")))
        return tree
    if isinstance(tree.value, tuple):
        parts = tuple(_lines(each, notes, f"{name}[{number}]") for number, each in enumerate(tree.value))
        return Marked(parts, tree.place, tree.key)
    if isinstance(tree.value, str) and tree.value != tree.value.rstrip("\n"):
        notes.append(Note("changed", name, "the line break at its end is left out", tree.place))
        return Marked(tree.value.rstrip("\n"), tree.place, tree.key)
    return tree


def _keys(tree: Marked, notes: list[Note]) -> Marked:
    keys = below(tree, "ssh_authorized_keys")
    return tree if keys is None else put(tree, "ssh_authorized_keys", split_keys(keys))


def _files(tree: Marked, notes: list[Note]) -> Marked:
    found: dict[str, Marked] = {}
    if below(tree, "write_files") is None:
        return tree
    for number, file in enumerate(items(tree, "write_files")):
        path = text(file, "path")
        if not path:
            found[f"{number}"] = file  # coreos-cloudinit stopped there: the model refuses it, with its place
            continue
        clean = "/" + normpath("/" + path).lstrip("/")
        key = f"write_files[{clean}]"
        if clean != path and not path.endswith("/"):
            notes.append(Note("changed", key, f"{path!r} was written to {clean}", file.at(["path"])))
            file = put(file, "path", clean)
        file = _encoded(_mode(file, key, notes), key, notes)
        if found.pop(clean, None):
            notes.append(Note("changed", key, "it is there twice; the last one won, and is written", file.at(["path"])))
        found[clean] = file
    return put(tree, "write_files", Marked(tuple(found.values()), tree.at(["write_files"])))


def _mode(file: Marked, key: str, notes: list[Note]) -> Marked:
    """Permissions as coreos-cloudinit read them: always octal, and only the lowest nine bits of them."""
    said = below(file, "permissions")
    if said is None or not _MODES.fullmatch(str(said.value)):
        return file  # coreos-cloudinit stopped there: the model refuses it
    number = int(said.value, 8)
    mode = f"0{number & 0o777:03o}"
    if number < 0:
        return file
    if number > 0o777:
        why = f"coreos-cloudinit set no setuid, setgid and sticky bits: {said.value} became {mode}, which is written"
        notes.append(Note("changed", f"{key}.permissions", why, said.place))
    elif said.value in ("420", "493", "384", "256", "448", "292"):
        meant = f"0{int(said.value):o}"
        why = f"coreos-cloudinit read it as octal, which is written: {mode}; a program that rewrote {meant} made it so?"
        notes.append(Note("changed", f"{key}.permissions", why, said.place))
    return put(file, "permissions", mode)


def _encoded(file: Marked, key: str, notes: list[Note]) -> Marked:
    """Bytes that are no text travel as base64."""
    content, encoding = text(file, "content"), text(file, "encoding")
    if not _is_bytes(content) or encoding not in ("", "gz", "gzip"):
        return file
    data = base64.b64encode(content.encode("utf-8", "surrogateescape")).decode()
    notes.append(Note("changed", f"{key}.content", "it is no text, and is written as base64", file.at(["content"])))
    return put(put(file, "content", data), "encoding", "gz+b64" if encoding else "b64")


def _is_bytes(said: str) -> bool:
    return not said.isascii() and any(0xD800 <= ord(char) <= 0xDFFF for char in said)


def _texts(tree: Marked, notes: list[Note]) -> Marked:
    """Bytes where only text can be: nobody knows what they were to mean."""
    below_it = tree.value.values() if isinstance(tree.value, dict) else tree.value
    if isinstance(tree.value, str) and _is_bytes(tree.value):
        raise InputError("it is no text in UTF-8", where=tree.place, next="write it as text, or leave it out")
    for each in below_it if isinstance(tree.value, dict | tuple) else ():
        _texts(each, notes)
    return tree


def _sections(tree: Marked, notes: list[Note]) -> Marked:
    for section in _OPTIONS:
        for name, each in (below(tree, "coreos", section) or Marked({}, tree.place)).value.items():
            if each.value is False or each.value == 0:
                why = f"coreos-cloudinit handed on no option that is {str(each.value).lower()}"
                notes.append(Note("ignored", f"coreos.{section}.{name}", why, each.place))
                tree = put_below(tree, ("coreos", section, name), None)
    return _strategy(_window(tree), notes)


def _window(tree: Marked) -> Marked:
    start = below(tree, "coreos", "locksmith", "window_start")
    found = _WINDOW.fullmatch(str(start.value)) if start is not None else None
    if found is None:
        return tree
    day, hour, minute = found.groups()
    said = (f"{day.capitalize()} " if day else "") + f"{int(hour):02d}:{int(minute):02d}"
    return put_below(tree, ("coreos", "locksmith", "window_start"), said)


def _strategy(tree: Marked, notes: list[Note]) -> Marked:
    for path in (("coreos", "update", "reboot_strategy"), ("coreos", "etcd2", "proxy")):
        said = below(tree, *path)
        word = {"false": "off", "no": "off", "n": "off"}.get(str(said.value).lower()) if said is not None else None
        if said is not None and word:
            why = (
                f"{word} is written; a program that rewrote this file took off for {said.value}, which coreos-cloudinit"
                " refused"
            )
            notes.append(Note("changed", ".".join(path), why, said.place))
            tree = put_below(tree, path, word)
    return tree
