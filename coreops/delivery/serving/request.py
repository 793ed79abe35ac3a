"""What a request asks for: a page, by a machine that says who it is. Pure; a request opens no file, so no path is one.

``/PAGE?mac=..&uuid=..&serial=..&token=..``, or in front of the page, for readers that only append its name to a base
(cloud-init's NoCloud): ``/mac/M/PAGE``, ``/uuid/U/PAGE``, ``/serial/S/PAGE``, ``/token/T/PAGE``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from coreops.delivery.serving.identity import Kind

USER_DATA, IGNITION, CLOUD_CONFIG = "user-data", "ignition", "cloud-config"
META_DATA, VENDOR_DATA = "meta-data", "vendor-data"
IPXE, BOOT = "ipxe", "boot.ipxe"
PAGES: Final = (IGNITION, CLOUD_CONFIG, USER_DATA, META_DATA, VENDOR_DATA, IPXE, BOOT)
BODIES: Final = (IGNITION, CLOUD_CONFIG, USER_DATA)
"""The pages that are a node's user-data."""

TOKEN: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_KINDS: Final[dict[str, Kind]] = {"mac": "mac", "uuid": "uuid", "serial": "serial"}
_MOST = 16
_SECRETIVE = re.compile(r"\w{16,}")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. page None: there is no such page. token: as given, whether or not it is one."""

    page: str | None
    selectors: tuple[tuple[Kind, str], ...] = ()
    token: str | None = None


def parse(target: str) -> Ask | None:
    """Read a request's target; None when it is malformed."""
    try:
        # Two slashes would make the first word a host.
        parts = urlsplit("/" + target.lstrip("/") if target.startswith("/") else target)
        query = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MOST)
        words = [unquote(word, errors="strict") for word in parts.path.split("/") if word]
    except ValueError:
        return None
    given = [(name.lower(), text) for name, text in query]
    while len(words) > 1 and (words[0] in _KINDS or words[0] == "token") and len(given) <= _MOST:
        given.append((words[0], words[1]))
        words = words[2:]
    page = words[0] if len(words) == 1 and words[0] in PAGES else None
    selectors = tuple((_KINDS[name], text) for name, text in given if name in _KINDS and text.strip())
    return Ask(page, selectors, next((text for name, text in given if name == "token"), None))


def shown(ask: Ask) -> str:
    """The names that a request gave, for a log: without what may be a token, and not too long."""
    return " ".join(f"{kind} {redacted(text)}" for kind, text in dict.fromkeys(ask.selectors))[:200]


def redacted(text: str) -> str:
    """Text of a stranger for a log; the parts that may be a token are left out."""
    return _SECRETIVE.sub("...", text[:4096])[:80]
