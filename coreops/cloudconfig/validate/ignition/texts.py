"""Rules on texts: what units say, and what nobody replaces or should read in them and in files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from coreops.cloudconfig.platforms.substitution import uses
from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.ignition.contents import held, resources
from coreops.cloudconfig.validate.tree import Value

_LONGEST_LINE: Final = 2047
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def units(document: Document) -> Iterator[Finding]:
    """Contents of units and drop-ins that Ignition cannot read."""
    for unit in document.units():
        for holder in (unit, *document.drop_ins(unit)):
            contents = holder.get("contents")
            if contents and contents.kind == "text" and (why := _wrong_unit(contents.text)):
                yield Finding(contents.at, "error", f"invalid contents of {holder.texts('name')!r}", why)


def _wrong_unit(text: str) -> str:
    continued = False
    for number, line in enumerate(text.split("\n"), 1):
        if len(line.encode("utf-8", "replace")) > _LONGEST_LINE:
            return f"line {number} has more than {_LONGEST_LINE} bytes"
        bare = line.strip()
        if continued or not bare or bare[0] in "#;":
            pass
        elif bare.startswith("["):
            _section, bracket, rest = bare[1:].partition("]")
            if not bracket or rest:
                return f"line {number} is no [Section]: {bare[:40]!r}"
            continue
        elif "=" not in bare:
            return f"line {number} is neither [Section] nor Name=value: {bare[:40]!r}"
        continued = line.endswith("\\") and not (not continued and bare[:1] in ("#", ";"))
    return "the last line ends in \\" if continued else ""


def substitutions(document: Document) -> Iterator[Finding]:
    """``$private_ipv4`` and ct's ``{PRIVATE_IPV4}``: nobody replaces them."""
    for value, text in _texts(document):
        names = dict.fromkeys(f"${use.variable}" for use in uses(text) if not use.escaped and not use.prefix_of)
        names |= dict.fromkeys(re.findall(r"\{(?:PUBLIC|PRIVATE)_IPV[46]\}|\{HOSTNAME\}", text))
        for name in names:
            word = name.strip("${}")
            if re.search(rf"(?m)^\s*(?:export\s+|local\s+)?{word}=", text):
                continue  # a script's own
            who = "only coreos-cloudinit replaces it" if name[0] == "$" and name[1] != "{" else "only ct replaced it"
            yield Finding(
                value.at,
                "warning",
                f"{name} stays as it is written",
                who,
                "write the address, or render it with coreops",
            )


def secrets(document: Document) -> Iterator[Finding]:
    """Private keys: whoever can ask the platform for user-data has them, and so has every process on the machine."""
    for value, text in _texts(document):
        if _KEY.search(text):
            why = "every process on the machine can read user-data, and so can whoever administers the platform"
            yield Finding(
                value.at, "warning", "a private key in user-data", why, "bring it over SSH when the machine is up"
            )


def _texts(document: Document) -> Iterator[tuple[Value, str]]:
    for resource in resources(document):
        data = held(resource.value)[0]
        if data:
            yield (
                resource.value.get("source") or resource.value.get("inline") or resource.value,
                data.decode("utf-8", "replace"),
            )
    for unit in document.units():
        for holder in (unit, *document.drop_ins(unit)):
            if (contents := holder.get("contents")) and contents.kind == "text":
                yield contents, contents.text
