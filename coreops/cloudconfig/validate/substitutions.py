"""Rules on ``$private_ipv4`` and its kin."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coreops.cloudconfig.platforms.platform import VARIABLES
from coreops.cloudconfig.platforms.substitution import place, uses
from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding
from coreops.errors import did_you_mean

_WORD = re.compile(r"\$(\{?)([A-Za-z_][A-Za-z0-9_-]*)\}?")


def prefixes(document: Document) -> Iterator[Finding]:
    """Longer words that begin with a variable."""
    for use in uses(document.text):
        if use.prefix_of and not use.escaped:
            yield Finding(
                place(document.text, use.index, document.file),
                "warning",
                f"${use.variable} is replaced inside ${use.prefix_of}",
                "coreos-cloudinit looks for the beginning of a word",
                f"write \\${use.prefix_of} to keep it",
            )


def unresolved(document: Document) -> Iterator[Finding]:
    """Variables that the platform has no value for: an empty text takes their place. Those in comments do no harm."""
    platform = document.platform
    if platform is None:
        return
    spans = sorted({value.span for _, value in document.root.scalars()})
    for use in uses(document.text):
        there = platform.substitutions.get(use.variable)
        if use.escaped or (there and there.sure) or not any(start <= use.index < end for start, end in spans):
            continue
        at = place(document.text, use.index, document.file)
        if there is None:
            why = f"{platform.name} has no such substitution"
            hint = "write the address"
            yield Finding(at, "error", f"${use.variable} becomes an empty text", why, hint)
        else:
            why = f"on {platform.name} it comes from {there.origin}, and a machine may have none"
            yield Finding(at, "warning", f"${use.variable} may become an empty text", why)


def misspelt(document: Document) -> Iterator[Finding]:
    """What looks like a variable in a value of coreos.*, and is none."""
    coreos = document.root.get("coreos")
    if not coreos:
        return
    for path, value in coreos.scalars():
        if "content" in path:
            continue
        for braced, word in _WORD.findall(value.text):
            plain = not braced and word.startswith(VARIABLES)
            known = [f"${name}" for name in VARIABLES if ("6" in word) == name.endswith("6")]
            near = did_you_mean(f"${word.lower().replace('-', '_')}", known)
            if not plain and near:
                written = f"${{{word}}}" if braced else f"${word}"
                yield Finding(value.at, "error", f"{written} is not replaced", "it is no substitution", near)
