"""What secrets look like: the shapes of keys and tokens, and the names that passwords and key files have, as data."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

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
    "JSON web token": re.compile(r"\beyJ[\w-]{8,400}\.eyJ[\w-]{8,4000}\.[\w-]{16,}"),
    "k3s token": re.compile(r"\bK10[0-9a-f]{64}::\S{8,}"),
    "ansible-vault text": re.compile(r"\$ANSIBLE_VAULT;"),
}
# One search through a text tells that there is nothing; only the few others pay for learning what it is.
_ANY_SHAPE: Final = re.compile("|".join(shape.pattern for shape in _SHAPES.values()))
_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@?#'\"]*:([^\s/@'\"]+)@", re.IGNORECASE)
_NAMES: Final = r"pass(?:word|wd|phrase)?|secret|token|(?:api|private|secret|access)[_-]?key"
# NAME=value and `name: value`, on a line of a file or in a unit's Environment=.
_SET: Final = re.compile(
    rf"""(?im)(?:^|[\s"'{{,=])([A-Za-z0-9_.-]{{0,80}}(?:{_NAMES}))["']?(?:=|:[ \t]+|[ \t]+=[ \t]*)["']?([^\s"',}}]+)"""
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


def kind_of(text: str, known: Mapping[str, str]) -> str | None:
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
    return next((f"value of {match[1]}" for match in _SET.finditer(text) if is_named_secret(match[1], match[2])), None)


def is_named_secret(name: str, value: str) -> bool:
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


def names_keys(path: str, text: str) -> bool:
    """Is a file of this name one that holds keys, and is there something in it that is not for everybody?"""
    return bool(text.strip() and _FILES.search(path)) and not _OPENS_NOTHING.search(text)
