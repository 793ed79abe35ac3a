"""Whether a cluster that registered still lives: somebody listens where its members said they would."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from coreops.discovery.registry import Token

SECONDS = 3.0


def answering(token: Token, seconds: float = SECONDS) -> tuple[str, ...]:
    """The members' addresses at which something listens."""
    urls = tuple(url for member in token.members for url in member.urls)
    if not urls:
        return ()
    with ThreadPoolExecutor(len(urls)) as pool:
        found = pool.map(lambda url: _listens(url, seconds), urls)
    return tuple(url for url, listens in zip(urls, found, strict=True) if listens)


def _listens(url: str, seconds: float) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), seconds):
            return True
    except OSError:
        return False
