"""Secrets in what a node is told at birth: private keys, tokens, passwords. Says where and what kind, never the value.

Works on the node's tree before it is typed, so that every finding has its place. What it finds is told by its shape or
by its name; a secret that looks like any other text is not found.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from coreops.cloudconfig.marked import Marked
from coreops.cloudconfig.platforms.platform import Platform
from coreops.errors import InputError, counted
from coreops.model import Position

_MOST: Final = 1_000_000
"""Bytes that a compressed content is unpacked to, to look at it."""
_SHOWN: Final = 10
_SHORT: Final = 10_000
"""Characters of a text that is worth remembering."""
_PRIVATE: Final = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-|AGE-SECRET-KEY-1"
)
_SHAPES: Final = {
    "private key": _PRIVATE,
    "Swarm join token": re.compile(r"\bSWMTKN-1-[0-9a-z]{20,}-[0-9a-z]{10,}"),
    "Swarm unlock key": re.compile(r"\bSWMKEY-1-[A-Za-z0-9+/]{20,}"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{22,})"),
    "GitLab token": re.compile(r"\bgl(?:pat|dt|rt)-[\w-]{20,}"),
    "Slack token": re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),
    "Docker Hub token": re.compile(r"\bdckr_pat_[\w-]{20,}"),
    "Vault token": re.compile(r"\bhv[sbr]\.[\w-]{24,}"),
    "AWS secret access key": re.compile(
        r"""\b(?i:aws_?secret_?(?:access_?)?key["']?\s*[=:]\s*["']?[A-Za-z0-9/+=]{40})"""
    ),
    "JSON web token": re.compile(r"\beyJ[\w-]{8,2000}\.eyJ[\w-]{8,9000}\.[\w-]{16,}"),
    "k3s token": re.compile(r"\bK10[0-9a-f]{64}::\S{8,}"),
    "ansible-vault text": re.compile(r"\$ANSIBLE_VAULT;"),
}
# One search through a text tells that there is nothing; only the few others pay for learning what it is.
_ANY_SHAPE: Final = re.compile("|".join(shape.pattern for shape in _SHAPES.values()))
_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@?#'\"]*:([^\s/@'\"]+)@", re.IGNORECASE)
_NAMES: Final = r"pass(?:word|wd|phrase)?|secret|token|(?:api|private|secret|access)[_-]?key"
# NAME=value and `name: value`, on a line of a file or in a unit's Environment=.
_SET: Final = re.compile(
    rf"""(?im)(?:^|[\s"'{{,])([A-Za-z0-9_.-]{{0,80}}(?:{_NAMES}))["']?(?:=|:[ \t]+|[ \t]+=[ \t]*)["']?([^\s"',}}]+)"""
)
_SECRET_NAME: Final = re.compile(rf"(?i)(?:password|passwd|passphrase|(?:^|[_.-])(?:{_NAMES}))$")
_PUBLIC_NAMES: Final = re.compile(r"(?i)(?:initial[_-]?cluster|discovery|auth|bearer[_-]?type)[_-]?token$")
"""Tokens that name a cluster or choose a kind of token, and open nothing."""
# A variable of the shell, a template, a path, a placeholder, a word that switches something.
_NO_VALUE: Final = re.compile(
    r"(?i)(?:[$%<{/~*.].*|-+|x+|no|yes|none|null|true|false|on|off|file|prompt|ask|env|stdin)$"
)
_FILES: Final = re.compile(
    r"(?:\.key|-key\.pem|_key\.pem|/key\.pem|\.p12|\.pfx|\.jks|\.keystore|/\.dockercfg|/\.docker/config\.json"
    r"|/config\.json\.docker|kubeconfig|/\.kube/config|/id_(?:rsa|dsa|ecdsa|ed25519)|/ssh_host_[a-z0-9]+_key|/\.netrc"
    r"|/\.pgpass|/\.git-credentials|/\.pypirc|/\.vault-token|/\.aws/credentials|/etc/shadow|/ipsec\.secrets)$"
)
_ENCODED_PEM: Final = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/=\s]{20,}")
_OPENS_NOTHING: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*(?:PUBLIC KEY|CERTIFICATE)-----")
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


def refuse(secrets: Sequence[Secret], node: str, platform: Platform) -> None:
    """Raise InputError for the secrets of a node that are more than hashes, with their places."""
    real = [secret for secret in secrets if not secret.hashed]
    if not real:
        return
    others = [f"{secret.place}: {secret}" for secret in real[1:_SHOWN]]
    more = [f"and {len(real) - _SHOWN} more"] if len(real) > _SHOWN else []
    why = f"on {platform.name}, user-data can be read by {platform.readers.text}"
    raise InputError(
        f"there is a secret in {real[0].key}: {real[0].kind} (host {node})",
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
    kind = _kind(leaf.value, known)
    name = path[-1] if path else ""
    if kind is None and name.endswith("_password"):
        kind = "password"
    if kind is None and _named(name, leaf.value):
        kind = f"value of {name}"
    if kind:
        yield Secret(kind, shown, leaf.place)


def _file(tree: Marked, shown: str, known: Mapping[str, str]) -> Iterator[Secret]:
    parts = {str(name).replace("-", "_"): each for name, each in tree.value.items()}
    content = parts["content"]
    where = parts["path"].value if "path" in parts else ""
    text = _decoded(content.value, parts["encoding"].value if "encoding" in parts else None)
    kind = _kind(text, known)
    if kind is None and text.strip() and isinstance(where, str) and _FILES.search(where):
        kind = None if _OPENS_NOTHING.search(text) else "a file that holds keys, by its name"
    if kind:
        yield Secret(kind, f"{shown}.content", content.place)


def _kind(text: str, known: Mapping[str, str]) -> str | None:
    """What kind of secret is in a text, if any."""
    kind = _shape(text) if len(text) < _SHORT else _shape.__wrapped__(text)
    if kind or not known:
        return kind
    return next((f"the value of {name}" for name, value in known.items() if value in text), None)


@lru_cache(maxsize=1024)
def _shape(text: str) -> str | None:
    """As above, by the text alone: the texts of many nodes are the same."""
    if _ANY_SHAPE.search(text):
        return next(kind for kind, shape in _SHAPES.items() if shape.search(text))
    if any(_PRIVATE.search(_unwrapped(match[0])) for match in _ENCODED_PEM.finditer(text)):
        return "private key"
    if any(not _NO_VALUE.match(match[1]) for match in _URL.finditer(text)):
        return "password in a URL"
    return next((f"value of {match[1]}" for match in _SET.finditer(text) if _named(match[1], match[2])), None)


def _named(name: str, value: str) -> bool:
    """Is it, by the name it has, a password or a token?"""
    if not _is_secret_name(name) or _NO_VALUE.match(value):
        return False
    return "pass" in name.lower() or (len(value) >= 8 and not value.isdigit())


@lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _PUBLIC_NAMES.search(name)


def _unwrapped(text: str) -> str:
    packed = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(packed[: len(packed) // 4 * 4]).decode("latin-1")
    except binascii.Error:
        return ""


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
    return data.decode("latin-1")
