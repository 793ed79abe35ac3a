"""Whom this machine trusts over TLS: read once a process, for it takes longer than most of what is then asked."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@cache
def authorities() -> ssl.SSLContext:
    """As httpx would read them for every client anew: SSL_CERT_FILE and SSL_CERT_DIR, else those it comes with."""
    import httpx

    return httpx.create_ssl_context()
