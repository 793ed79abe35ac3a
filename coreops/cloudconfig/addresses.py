"""``$private_ipv4`` and its kin in a node's texts: filled in, left to the platform on purpose, or an error.

Every text is settled by itself, so that an error has its place. Knows no YAML text.
"""

from __future__ import annotations

from collections.abc import Mapping

from coreops.cloudconfig.emit import kept_raw
from coreops.cloudconfig.marked import Marked
from coreops.cloudconfig.platforms.platform import Fact, Platform
from coreops.cloudconfig.platforms.substitution import resolve, uses
from coreops.errors import InputError

NOWHERE = Platform(name="an unnamed platform", user_data=Fact("unknown", "no --platform was given"))
SUBSTITUTING = "coreos"
"""The target whose reader substitutes in the raw text, wherever it runs: with an empty text where it has no value."""


def settle(marked: Marked, target: str, platform: Platform, addresses: Mapping[str, str]) -> Marked:
    """Return the tree with every text settled. Raises InputError for a variable that nobody knows."""
    if isinstance(marked.value, dict):
        parts = {name: settle(each, target, platform, addresses) for name, each in marked.value.items()}
        return Marked(parts, marked.place, marked.key)
    if isinstance(marked.value, tuple):
        items = tuple(settle(each, target, platform, addresses) for each in marked.value)
        return Marked(items, marked.place, marked.key)
    if not isinstance(marked.value, str) or "$" not in marked.value:
        return marked
    by_node = target == SUBSTITUTING
    try:
        text = resolve(marked.value, platform, addresses, by_node=by_node)
    except InputError as error:
        unnamed = "name the platform with --platform; or " if platform is NOWHERE and by_node else ""
        raise InputError(error.what, where=marked.place, why=error.why, next=f"{unnamed}{error.next}") from None
    if by_node and not kept_raw(text) and any(use.escaped for use in uses(text)):
        raise InputError(
            "\\$ before the name of an address does not survive in this text",
            where=marked.place,
            why="it holds characters that YAML must escape, and coreos-cloudinit reads the raw document",
            next="begin the text with a letter, and leave out control characters",
        )
    return Marked(text, marked.place, marked.key)
