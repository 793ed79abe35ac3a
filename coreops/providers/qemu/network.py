"""Taps on the bridge of a lab: a machine's cable. A tap outlives its machine, and a port that is cut stays cut.

The bridge itself, its namespace and the host's way into it are those of the namespace lab.
"""

from __future__ import annotations

import json
from typing import Any

from coreops.providers.namespace.host import run

BRIDGE = "br0"


def ensure_tap(netns: str, tap: str) -> None:
    """Make a tap on the bridge of a switch's namespace, if it is missing."""
    there: list[dict[str, Any]] = json.loads(run(["ip", "-n", netns, "-j", "link", "show"]).stdout or "[]")
    known = {link["ifname"]: link for link in there if "ifname" in link}
    if tap not in known:
        run(["ip", "-n", netns, "tuntap", "add", "dev", tap, "mode", "tap"])
        run(["ip", "-n", netns, "link", "set", tap, "up"])
    if known.get(tap, {}).get("master") != BRIDGE:
        run(["ip", "-n", netns, "link", "set", tap, "master", BRIDGE])


def remove_tap(netns: str, tap: str) -> None:
    """Take a tap away; one that is gone is no error."""
    run(["ip", "-n", netns, "link", "del", tap], check=False)


def mac(identity: str) -> str:
    """A card's address from an identity of hex digits: locally administered, in QEMU's own range."""
    return "52:54:00:" + ":".join(identity[at : at + 2] for at in (0, 2, 4))
