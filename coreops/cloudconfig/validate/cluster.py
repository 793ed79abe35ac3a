"""Rules on how a store is bootstrapped: coreos.etcd and coreos.etcd2."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding

_SECTIONS = ("etcd", "etcd2")
_WAYS = ("discovery", "discovery_endpoints", "discovery_srv", "initial_cluster")


def discovery_url(document: Document) -> Iterator[Finding]:
    """A discovery URL that cannot be one, or is not a token's."""
    for section in _SECTIONS:
        value = document.root.get("coreos", section, "discovery")
        if not value or not value.text:
            continue
        what = "discovery URL is not valid"
        if why := _wrong(value.text):
            yield Finding(value.at, "error", what, why)
        elif "<" in value.text or urlsplit(value.text).path.rstrip("/").endswith("token"):
            yield Finding(value.at, "error", what, "the token was not filled in", "get one from its /new?size=N")
        elif urlsplit(value.text).path == "/new":
            why = "every machine would get a token, and a cluster, of its own"
            yield Finding(value.at, "error", what, why, "open it once, and write the URL that it answers")
        elif not urlsplit(value.text).path.strip("/"):
            yield Finding(value.at, "error", what, "there is no token in it", "get one from its /new?size=N")


def _wrong(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if any(c.isspace() or ord(c) < 0x20 for c in url):
        return "a space in it"
    if parts.scheme not in ("http", "https"):
        return "it must begin with http:// or https://"
    return "" if host else "no host in it"


def one_way(document: Document) -> Iterator[Finding]:
    """Two ways to find the other members; etcd refuses to start."""
    for section in _SECTIONS:
        found = [name for name in _WAYS if document.root.texts("coreos", section, name)]
        if len(found) > 1:
            second = document.root.get("coreos", section, found[1])
            assert second is not None
            why = f"coreos.{section} has {' and '.join(found)}; etcd takes exactly one, and does not start"
            yield Finding(second.at, "error", "more than one way to find the other members", why, "keep one of them")
