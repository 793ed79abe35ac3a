"""The server's certificate and key, judged before any machine is refused because of them."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from coreops.errors import InputError

SOON: Final = timedelta(days=14)


def context(cert: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate. Raises InputError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    use(made, cert, key)
    return made


def use(made: ssl.SSLContext, cert: Path, key: Path) -> None:
    """Let new connections have this certificate. Raises InputError; the context is then as it was."""
    _readable(cert)
    if _readable(key).st_mode & 0o007:
        raise InputError("others can read this key", where=key, next=f"chmod 600 {key}, and think of replacing it")
    ends(cert)

    def no_password() -> str:
        raise InputError("the key has a password", where=key, next="take it off: openssl pkey -in KEY -out NEWKEY")

    # Tried on a context of its own first: a wrong pair would leave half of it in the one that is in use.
    for each in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), made):
        try:
            each.load_cert_chain(cert, key, no_password)
        except ssl.SSLError as error:
            mismatch = error.reason == "KEY_VALUES_MISMATCH"
            raise InputError(
                "the key does not belong to the certificate" if mismatch else "the certificate or key cannot be used",
                where=f"{cert}, {key}",
                why=str(error.reason or error),
                next="both must be PEM: the certificate first, then those that signed it",
            ) from None


def ends(cert: Path, now: datetime | None = None) -> datetime:
    """When a certificate ends. Raises InputError when it has ended, or has not begun."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(cert.read_bytes())
    except ValueError as error:
        raise InputError("this is no certificate", where=cert, why=str(error).partition(".")[0]) from None
    now = now or datetime.now(UTC)
    if found.not_valid_after_utc <= now:
        raise InputError(f"this certificate ended on {found.not_valid_after_utc:%Y-%m-%d %H:%M} UTC", where=cert)
    if found.not_valid_before_utc > now:
        raise InputError(f"this certificate begins on {found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC", where=cert)
    return found.not_valid_after_utc


def warning(cert: Path) -> str | None:
    """A word on a certificate that ends soon."""
    end = ends(cert)
    return f"{cert} ends on {end:%Y-%m-%d %H:%M} UTC" if end - datetime.now(UTC) < SOON else None


def _readable(path: Path) -> os.stat_result:
    try:
        with path.open("rb"):
            return path.stat()
    except OSError as error:
        raise InputError("cannot read the file", where=path, why=error.strerror) from None
