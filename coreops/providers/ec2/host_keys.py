"""SSH host keys out of a console's output, as cloud-init prints them. Pure.

Trust: only the machine's firmware, kernel and root write to its console, and only the account's owner reads it. A line
that was cut off or mixed with another is no key: each must decode to the algorithm it claims.
"""

from __future__ import annotations

import base64
import binascii
import re

from coreops.errors import RefusedError

_BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
_KEY = re.compile(
    r"\b(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]{40,}={0,2})(?![A-Za-z0-9+/=])"
)


def host_keys(console: str, node: str) -> tuple[str, ...]:
    """Return ``algorithm base64`` lines; () when no whole block is there yet. Raises RefusedError."""
    found: dict[str, str] = {}
    for block in _BLOCK.findall(console):
        for algorithm, blob in _KEY.findall(block):
            if not _is_key(algorithm, blob):
                continue
            if found.setdefault(algorithm, blob) != blob:
                raise RefusedError(
                    f"the console shows two different {algorithm} host keys",
                    where=node,
                    why="a machine makes its keys once; the second may be somebody else's",
                    next=f"coreops console {node}, and add the right key to known_hosts by hand",
                )
    return tuple(f"{algorithm} {blob}" for algorithm, blob in sorted(found.items()))


def _is_key(algorithm: str, blob: str) -> bool:
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error:
        return False
    fields = []
    while raw:
        size = int.from_bytes(raw[:4], "big")
        if len(raw) < 4 + size:
            return False
        fields.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    return len(fields) >= 2 and fields[0] == algorithm.encode()
