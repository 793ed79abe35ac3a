"""Secrets in what a node is told at birth: private keys, tokens, passwords. Says where and what kind, never the value.

Works on the node's tree before it is typed, so that every finding has its place. What it finds is told by its shape or
by its name; a secret that looks like any other text is not found.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from coreops.cloudconfig.marked import Marked
from coreops.cloudconfig.platforms.platform import Platform
from coreops.cloudconfig.secret_shapes import is_named_secret, kind_of, names_keys
from coreops.errors import InputError, counted
from coreops.model import Position

_MOST: Final = 1_000_000
"""Bytes that a compressed content is unpacked to, to look at it."""
_SHOWN: Final = 10
_CRYPT: Final = ("users", "passwd")


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret. key: what holds it. hashed: only a password's hash, which takes guessing."""

    kind: str
    key: str
    place: Position
    hashed: bool = False

    def __str__(self) -> str:
        return f"{self.key} ({self.kind})"


def find(tree: Marked, known: Mapping[str, str] | None = None) -> tuple[Secret, ...]:
    """Return the secrets of a node, in its order. known: values that are secret, by the variable that has them."""
    return tuple(_walk(tree, (), "", known or {}))


def find_in_text(text: str, place: Position) -> tuple[Secret, ...]:
    """Return the secret in a text that goes beside the node's own, if there is one."""
    kind = kind_of(text, {})
    return (Secret(kind, place.file, place),) if kind else ()


def refuse(secrets: Sequence[Secret], platform: Platform, node: str | None = None) -> None:
    """Raise InputError for secrets (of a node) that are more than hashes, with their places."""
    real = [secret for secret in secrets if not secret.hashed]
    if not real:
        return
    others = [f"{secret.place}: {secret}" for secret in real[1:_SHOWN]]
    more = [f"and {len(real) - _SHOWN} more"] if len(real) > _SHOWN else []
    why = f"on {platform.name}, user-data can be read by {platform.readers.text}"
    raise InputError(
        f"there is a secret in {real[0].key}: {real[0].kind}{f' (host {node})' if node else ''}",
        where=real[0].place,
        why="\n    ".join([why, *others, *more]),
        next="deliver it over SSH when the machine is up (coreops run, a task with copy), or give --allow-secrets",
    )


def warning(secrets: Mapping[str, Sequence[Secret]], platform: Platform) -> str | None:
    """One line about the secrets of all nodes, and who can read them. None when there are none."""
    held = {node: [one for one in found if not one.hashed] for node, found in secrets.items()}
    count = sum(len(found) for found in held.values())
    if not count:
        return None
    nodes = [node for node, found in held.items() if found]
    readers = f"on {platform.name} it can be read by {platform.readers.text} ({platform.readers.source})"
    return f"{counted(count, 'secret')} in the user-data of {_some(nodes)}; {readers}"


def hashes(secrets: Mapping[str, Sequence[Secret]]) -> str | None:
    """One line about password hashes. None when there are none."""
    nodes = [node for node, found in secrets.items() if any(one.hashed for one in found)]
    if not nodes:
        return None
    return f"password hashes in the user-data of {_some(nodes)}: who reads them can try passwords; keys are safer"


def _some(nodes: Sequence[str]) -> str:
    return ", ".join(nodes[:5]) + (f" and {counted(len(nodes) - 5, 'other')}" if len(nodes) > 5 else "")


def _walk(tree: Marked, path: tuple[str, ...], shown: str, known: Mapping[str, str]) -> Iterator[Secret]:
    if isinstance(tree.value, dict):
        if _is_file(path, tree):
            yield from _file(tree, shown, known)
            return
        for name, each in tree.value.items():
            key = str(name).replace("-", "_")
            yield from _walk(each, (*path, key), f"{shown}.{key}" if shown else key, known)
    elif isinstance(tree.value, tuple):
        for index, each in enumerate(tree.value):
            yield from _walk(each, path, f"{shown}[{_name(each) or index}]", known)
    elif isinstance(tree.value, str) and tree.value:
        yield from _text(tree, path, shown, known)


def _name(item: Marked) -> str | None:
    for key in ("path", "name"):
        named = item.value.get(key) if isinstance(item.value, dict) else None
        if named is not None and isinstance(named.value, str):
            return named.value
    return None


def _is_file(path: tuple[str, ...], tree: Marked) -> bool:
    return path == ("write_files",) and "content" in tree.value


def _text(leaf: Marked, path: tuple[str, ...], shown: str, known: Mapping[str, str]) -> Iterator[Secret]:
    if path == _CRYPT:
        yield Secret("password hash", shown, leaf.place, hashed=True)
        return
    kind = kind_of(leaf.value, known)
    name = path[-1] if path else ""
    if kind is None and name.endswith("_password"):
        kind = "password"
    if kind is None and is_named_secret(name, leaf.value):
        kind = f"value of {name}"
    if kind:
        yield Secret(kind, shown, leaf.place)


def _file(tree: Marked, shown: str, known: Mapping[str, str]) -> Iterator[Secret]:
    parts = {str(name).replace("-", "_"): each for name, each in tree.value.items()}
    content = parts["content"]
    where = parts["path"].value if "path" in parts else ""
    text = _decoded(content.value, parts["encoding"].value if "encoding" in parts else None)
    kind = kind_of(text, known)
    if kind is None and names_keys(str(where), text):
        kind = "a file that holds keys, by its name"
    if kind:
        yield Secret(kind, f"{shown}.content", content.place)


def _decoded(content: object, encoding: object) -> str:
    """A file's content as text; what cannot be decoded is looked at as it is, and is an error elsewhere."""
    text = content if isinstance(content, str) else ""
    if not isinstance(encoding, str):
        return text
    try:
        data = base64.b64decode(text) if "64" in encoding else text.encode("latin-1", "replace")
        if "gz" in encoding:
            data = zlib.decompressobj(wbits=31).decompress(data, _MOST)
    except (ValueError, zlib.error):
        return text
    return data.decode(errors="replace")
