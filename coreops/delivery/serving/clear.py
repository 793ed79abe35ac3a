"""Whether user-data may go over an address in the clear. Pure."""

from __future__ import annotations

from coreops.delivery.serving.site import Site
from coreops.errors import RefusedError, counted
from coreops.serving.listen import Listen


def in_the_clear(site: Site, where: Listen, *, tls: bool, insecure: bool) -> str | None:
    """A warning about what others on the way can read, None when nothing. Raises RefusedError for secrets."""
    if tls or where.local:
        return None
    secret = [name for name, content in site.contents.items() if content.secret]
    if not secret:
        return (
            f"plain HTTP on {where}: whoever is on the way can read user-data, and change it; --cert and --key end that"
        )
    if insecure:
        return f"plain HTTP on {where}: whoever is on the way can read the secrets of {counted(len(secret), 'node')}"
    raise RefusedError(
        f"the user-data of {counted(len(secret), 'node')} holds secrets, and plain HTTP shows them on the way",
        where=str(where),
        why=f"marked with secrets: {', '.join(secret[:3])}{', ...' if len(secret) > 3 else ''}",
        next="--cert FILE --key FILE, or --insecure-http where nobody else is on that network",
    )
