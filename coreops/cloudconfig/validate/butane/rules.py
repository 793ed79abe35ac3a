"""Rules on what only Butane has, and on what people bring along from ct."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from coreops.cloudconfig.validate.document import Document, mappings
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.ignition.contents import resources
from coreops.cloudconfig.validate.ignition.keys import BUTANE, VERSIONS
from coreops.cloudconfig.validate.tree import Entry, Value
from coreops.errors import did_you_mean

_CT: Final = {
    "etcd": "a drop-in of etcd-member.service that sets ETCD_* does it",
    "flannel": "a drop-in of flanneld.service that sets FLANNELD_* does it",
    "locksmith": "write REBOOT_STRATEGY and LOCKSMITHD_* to /etc/flatcar/update.conf",
    "update": "write GROUP and SERVER to /etc/flatcar/update.conf",
    "docker": "a drop-in of docker.service that sets DOCKER_OPTS does it",
    "networkd": "write the files to /etc/systemd/network",
}
"""Sections of ct, which was before Butane, and what one does instead."""


def not_flatcar(root: Value) -> Finding | None:
    """A config of ct, or for another system."""
    variant = root.get("variant")
    if root.kind != "mapping":
        return Finding(root.at, "error", "a Butane config is a mapping", f"this is a {root.kind}")
    if variant is None and any(entry.written in _CT for entry in root.entries):
        names = ", ".join(entry.written for entry in root.entries if entry.written in _CT)
        why = f"it has no variant, and has {names}: ct made Ignition 2 of it, which only Flatcar still reads"
        return Finding(root.at, "error", "a Container Linux Config, not Butane's", why, "add variant and version")
    if variant is not None and variant.text != "flatcar":
        hint = did_you_mean(variant.text, ["flatcar"]) or "write variant: flatcar"
        why = "only that one is known here"
        return Finding(variant.at, "error", f"the variant {variant.text[:40]!r} is not flatcar", why, hint)
    return None


def unknown(document: Document, entry: Entry, name: str) -> Finding | None:
    """What is to be said of a key that Butane does not know."""
    if not name and entry.written in _CT:
        what = f"unrecognized key {entry.written!r}"
        return Finding(entry.at, "error", what, "it was ct's; Butane has no such section", _CT[entry.written])
    return None


def versions(document: Document) -> Iterator[Finding]:
    """Versions that are not known."""
    version = document.root.get("version")
    if version and version.text not in BUTANE:
        hint = did_you_mean(version.text, BUTANE) or f"one of {', '.join(BUTANE)}"
        yield Finding(version.at, "error", f"unknown version {version.text[:40]!r} of flatcar", next=hint)


def version(root: Value) -> str:
    """The spec that a config becomes."""
    return BUTANE.get(root.texts("version"), VERSIONS[-1])


def local_files(document: Document) -> Iterator[Finding]:
    """Files that are read when Butane runs: only below the folder that it is told."""
    found = [resource.value.get("local") for resource in resources(document)]
    for tree in mappings(document.root.get("storage", "trees")):
        found.append(tree.get("local"))
    for unit in document.units():
        for holder in (unit, *document.drop_ins(unit)):
            local = holder.get("contentsLocal")
            found.append(local)
            if local and holder.get("contents"):
                yield Finding(
                    local.at, "error", "contents and contents_local exclude each other", next="keep one of them"
                )
    for user in mappings(document.root.get("passwd", "users")):
        found += (user.get("sshAuthorizedKeysLocal") or user).items
    for value in found:
        if value and value.text and (value.text.startswith("/") or ".." in value.text.split("/")):
            why = "it is looked for below --files-dir"
            yield Finding(value.at, "error", f"{value.text[:60]!r} leads out of the folder", why, "write a path in it")


def luks(document: Document) -> Iterator[Finding]:
    """What Butane refuses for Flatcar."""
    for device in mappings(document.root.get("storage", "luks")):
        if clevis := device.get("clevis"):
            yield Finding(clevis.at, "error", "Flatcar has no clevis", "Butane refuses it for the variant flatcar")
