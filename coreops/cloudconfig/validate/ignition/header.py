"""What lies before the first brace, and configs of other times: what Ignition's versions make of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.ignition.keys import NEWER, VERSIONS
from coreops.cloudconfig.validate.tree import Value
from coreops.errors import did_you_mean
from coreops.model import Position

SOURCE: Final = "Ignition config/util/parsingErrors.go, config/config.go"
_WAY_OUT: Final = "render it again, or translate it with ign-converter (github.com/coreos/ign-converter)"


def header(text: str, file: str) -> Iterator[Finding]:
    """Findings on the first bytes."""
    if text.startswith("\ufeff"):
        what = "a byte order mark (BOM) before the document"
        yield Finding(Position(file, 1, 1), "error", what, "JSON has none", "save it as UTF-8 without BOM")


def of_the_past(root: Value) -> Finding | None:
    """A config of spec 1 or 2, and what is no config at all."""
    if root.kind != "mapping":
        return Finding(root.at, "error", "an Ignition config is a JSON object", f"this is a {root.kind}")
    first = root.get("ignitionVersion")
    if first:
        return Finding(first.at, "error", "a config of spec 1", "Ignition 2, which reads spec 3, refuses it", _WAY_OUT)
    version = root.get("ignition", "version")
    if version and version.text.startswith("2."):
        why = "Ignition 2, which reads spec 3, refuses it; of those in use only Flatcar's still translates it"
        return Finding(version.at, "error", f"a config of spec {version.text}", why, _WAY_OUT)
    return None


def versions(document: Document) -> Iterator[Finding]:
    """Versions that nobody knows, or that few do."""
    version = document.root.get("ignition", "version")
    if version is None or version.kind != "text":
        return
    text = version.text
    if text in NEWER:
        why = f"it is judged as {VERSIONS[-1]}, which is the last that is known here"
        yield Finding(version.at, "warning", f"spec {text} is newer", why)
    elif text.endswith("-experimental") and text.removesuffix("-experimental") in (*VERSIONS, *NEWER):
        why = "the next Ignition does not take it any more"
        yield Finding(version.at, "warning", f"spec {text} is a draft", why, f"write {VERSIONS[-1]}")
    elif text not in VERSIONS:
        hint = did_you_mean(text, VERSIONS) or f"one of {', '.join(VERSIONS)}"
        yield Finding(version.at, "error", f"unknown version {text[:40]!r}", "Ignition refuses the config", hint)


def version(root: Value) -> str:
    """The spec that a config is judged by."""
    text = root.texts("ignition", "version").removesuffix("-experimental")
    return text if text in VERSIONS else VERSIONS[-1]
