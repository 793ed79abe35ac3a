"""The keys by which etcd 3.6 and newer discover each other, in an etcd that is there: ``--discovery-token``.

Those members ask that etcd itself, by gRPC, and one too many ends by itself. Here the token's size is written once,
and who came is read. Talks JSON to etcd's own gateway.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from coreops.discovery.registry import LONGEST, Member, Token, store_url
from coreops.errors import CoreopsError, InputError

_ROOT: Final = "/_etcd/registry"
_SECONDS: Final = 3.0
_MOST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Certificates:
    """What to trust, and to show: files in PEM."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class Store:
    """An etcd. Raises InputError for endpoints or certificates that cannot be any."""

    def __init__(self, endpoints: Sequence[str], certificates: Certificates) -> None:
        self.endpoints = tuple(store_url(each) for each in endpoints)
        self._tls = _context(certificates) if any(each.startswith("https") for each in self.endpoints) else None

    def publish(self, token: str, size: int, replaces: str = "") -> None:
        """Write a token's size; take away that of the token it replaces. Raises CoreopsError."""
        key = _text(f"{_ROOT}/{token}/_config/size")
        steps: list[dict[str, Any]] = [{"request_put": {"key": key, "value": _text(str(size))}}]
        if replaces:
            steps.append({"request_delete_range": {"key": _text(f"{_ROOT}/{replaces}/_config/size")}})
        new = [{"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}]
        if not self._ask("/v3/kv/txn", {"compare": new, "success": steps}).get("succeeded"):
            raise CoreopsError("etcd has this token already", where=self.endpoints[0], next="run the command again")

    def read(self, token: Token) -> tuple[Token, int]:
        """The token with the members that registered, the first ones first, and the size that etcd has for it."""
        from dataclasses import replace

        members = f"{_ROOT}/{token.token}/members/"
        found = self._range(members, members[:-1] + "0")
        own = sorted((_member(each, members) for each in found), key=lambda one: one.index)
        size = self._range(f"{_ROOT}/{token.token}/_config/size", "")
        text = _bytes(size[0].get("value", "")) if size else ""
        return replace(token, members=tuple(own)), int(text) if text.isdigit() and len(text) < 10 else 0

    def _range(self, key: str, end: str) -> list[dict[str, Any]]:
        asked = {"key": _text(key), **({"range_end": _text(end)} if end else {})}
        kvs = self._ask("/v3/kv/range", asked).get("kvs", [])
        return [each for each in kvs if isinstance(each, dict)]

    def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The first endpoint's answer that is one. Raises CoreopsError."""
        trouble = []
        for url in self.endpoints:
            try:
                return self._post(url, path, body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                trouble.append(f"{url}: {error or type(error).__name__}")
        raise CoreopsError(
            "no etcd answers that could keep the token",
            why="; ".join(trouble),
            next="check --store and the certificates: etcdctl endpoint health",
        )

    def _post(self, url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        parts = urlsplit(url)
        assert parts.hostname is not None, "checked before"
        if parts.scheme == "https":
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=_SECONDS, context=self._tls
            )
        else:
            made = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_SECONDS)
        try:
            made.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = made.getresponse()
            said = answer.read(_MOST)
        finally:
            made.close()
        found = json.loads(said) if answer.status == 200 else None
        if not isinstance(found, dict):
            raise ValueError(f"it answers {answer.status} {said[:200].decode(errors='replace').strip()}")
        return found


def _member(pair: dict[str, Any], prefix: str) -> Member:
    id = _bytes(pair.get("key", "")).removeprefix(prefix)[:64]
    return Member(id, _bytes(pair.get("value", ""))[:LONGEST], int(pair.get("create_revision", 0)), 0.0, "")


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _bytes(text: str) -> str:
    return base64.b64decode(text).decode("utf-8", "replace").strip()


def _context(certificates: Certificates) -> ssl.SSLContext:
    try:
        made = ssl.create_default_context(cafile=certificates.ca)
        if certificates.cert is not None:
            made.load_cert_chain(certificates.cert, certificates.key)
    except OSError as error:
        raise InputError(
            "the certificates cannot be used",
            where=certificates.ca or certificates.cert,
            why=str(error),
            next="pass --cacert FILE, and --cert FILE with --key FILE, in PEM",
        ) from None
    return made
