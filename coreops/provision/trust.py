"""Host keys as lines of known_hosts. Pure.

Only lines that coreops wrote itself are ever taken out again: what an operator put there is the operator's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import Final

from coreops.errors import CoreopsError

_TYPE: Final = re.compile(r"[a-z][a-z0-9@.-]{3,63}")

_NAME: Final = re.compile(r"[\w.:%-]+")
"""Nothing that known_hosts would take for a pattern, a list or another line."""


def lines(names: Sequence[str], keys: Sequence[str], node: str) -> tuple[str, ...]:
    """Return a line a key, for the names a machine is reached by. Raises CoreopsError for what is no name or key."""
    if bad := [name for name in names if not _NAME.fullmatch(name)]:
        raise CoreopsError("a machine cannot be reached by this name", where=node, why=repr(bad[0][:100]))
    return tuple(f"{','.join(names)} {_checked(key, node)}" for key in keys) if names else ()


def _checked(key: str, node: str) -> str:
    """The key without its comment. Its type must be the one that its own bytes begin with."""
    kind, _, rest = key.strip().partition(" ")
    text = rest.split(" ")[0]
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    if _TYPE.fullmatch(kind) and blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        return f"{kind} {text}"
    raise CoreopsError(
        "the provider gave something that is not a host key",
        where=node,
        why=repr(key[:100]),
        next="compare the machine's host key by other means, then record it with --accept-new",
    )


def rewritten(text: str, old: Collection[str], new: Collection[str]) -> str:
    """Return the text of a known_hosts file without the lines ``old``, and with ``new``."""
    there = text.removesuffix("\n").split("\n") if text else []
    kept = [line for line in there if line not in old or line in new]
    known = set(kept)
    added = [line for line in new if line not in known]
    return "".join(f"{line}\n" for line in (*kept, *added))


def names(line: str, reached: Sequence[str]) -> bool:
    """Whether a line of known_hosts has a key (or an authority) for one of the names that a machine is reached by."""
    words = line.split()
    if words[:1] == ["@cert-authority"]:
        words = words[1:]
    if len(words) < 3 or words[0].startswith(("#", "@")):
        return False
    return any(_said(words[0], name) or _said(words[0], f"[{name}]:*") for name in reached)


def _said(patterns: str, name: str) -> bool:
    if patterns.startswith("|1|"):
        return _hashed(patterns, name)
    each = patterns.lower().split(",")
    name = name.lower()
    if any(pattern.startswith("!") and _fits(name, pattern[1:]) for pattern in each):
        return False
    return any(_fits(name, pattern) for pattern in each)


def _fits(name: str, pattern: str) -> bool:
    """Only ``*`` and ``?`` mean others there; a bracket is one. A name with a port is said with any port."""
    if name.startswith("[") and name.endswith("]:*"):
        return pattern.startswith(name[:-1])
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _hashed(text: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in text[3:].split("|"))
    except ValueError:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
