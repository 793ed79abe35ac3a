"""Rules on write_files."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from posixpath import normpath

from coreops.cloudconfig.platforms.substitution import uses
from coreops.cloudconfig.validate.document import Document
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.tree import Value

MOST = 64 << 20
_WRITTEN_FOR = {
    "update": "/etc/coreos/update.conf",
    "flannel": "/run/flannel/options.env",
    "oem": "/etc/oem-release",
}


def paths(document: Document) -> Iterator[Finding]:
    """Files without a path, or with one that is not absolute."""
    for file in document.files():
        path = file.get("path")
        if path is None or not path.text:
            if path or not document.shape:  # a shape knows which keys are needed
                yield Finding((path or file).at, "error", "a file without a path")
        elif not path.text.startswith("/"):
            yield Finding(path.at, "warning", f"{path.text!r} is not absolute", f"it is written to {_clean(path.text)}")


def read_only(document: Document) -> Iterator[Finding]:
    """Files below /usr, which is read-only."""
    for file in document.files():
        path = file.get("path")
        if path and path.text and (_clean(path.text) + "/").startswith("/usr/"):
            yield Finding(
                path.at,
                "error",
                "file cannot be written to a read-only filesystem",
                f"{_clean(path.text)} is below /usr",
                "write to /etc or /opt",
            )


def duplicate_paths(document: Document) -> Iterator[Finding]:
    """Two things that write the same file: the last one wins."""
    first = {
        path: (section.at, f"coreos.{name}")
        for name, path in _WRITTEN_FOR.items()
        if (section := document.root.get("coreos", name)) and section.entries
    }
    for unit in document.units():
        if unit.texts("content"):
            folder = "/run" if unit.true("runtime") else "/etc"
            kind = "network" if unit.texts("name").endswith((".network", ".netdev", ".link")) else "system"
            first.setdefault(f"{folder}/systemd/{kind}/{unit.texts('name')}", (unit.at, "a unit"))
    hosts = document.root.get("manage_etc_hosts")
    if hosts and hosts.text == "localhost":
        first["/etc/hosts"] = (hosts.at, "manage_etc_hosts")
    for file in document.files():
        path = file.get("path")
        if not path or not path.text or file.true("append"):
            continue
        clean = _clean(path.text)
        if clean in first:
            at, what = first[clean]
            yield Finding(
                path.at, "error", f"{clean} is written twice", f"also by {what} on line {at.line}", "keep one of them"
            )
        else:
            first[clean] = (path.at, "a file")


def environment(document: Document) -> Iterator[Finding]:
    """A file /etc/environment, which keeps coreos-cloudinit from writing its own."""
    for file in document.files():
        path = file.get("path")
        if path and _clean(path.text) == "/etc/environment":
            why = "coreos-cloudinit then writes no COREOS_PUBLIC_IPV4, COREOS_PRIVATE_IPV4 and the like to it"
            yield Finding(path.at, "warning", "/etc/environment as a file of its own", why)


def encodings(document: Document) -> Iterator[Finding]:
    """Content that is not what its encoding says."""
    for file in document.files():
        encoding, content = file.get("encoding"), file.get("content")
        if encoding and encoding.text and content:
            why = _decode(content.text, encoding.text)[1]
            if why:
                yield Finding(content.at, "error", f"content cannot be decoded as {encoding.text!r}", why)


def hidden_substitutions(document: Document) -> Iterator[Finding]:
    """Variables inside encoded content, which nobody replaces."""
    for file in document.files():
        encoding, content = file.get("encoding"), file.get("content")
        if not encoding or not encoding.text or not content:
            continue
        text = _decode(content.text, encoding.text)[0].decode("utf-8", "replace")
        for name in sorted({use.variable for use in uses(text) if not use.escaped}):
            yield Finding(
                content.at, "warning", f"${name} inside encoded content is not replaced", next="do not encode it"
            )


def shell_variables(document: Document) -> Iterator[Finding]:
    """A script's own variable that coreos-cloudinit replaces before the script is written."""
    for value in _contents(document):
        for use in uses(value.text):
            if not use.escaped and re.search(rf"(?m)^\s*(?:\w+\s+)?{use.variable}=", value.text):
                yield Finding(
                    value.at,
                    "warning",
                    f"the script sets {use.variable}, and ${use.variable} in it is replaced before it runs",
                    "substitution takes place in the whole text",
                    f"write \\${use.variable}",
                )
                break


def secrets(document: Document) -> Iterator[Finding]:
    """Private keys: whoever can ask the platform for user-data has them, and so has every process on the machine."""
    for value in _contents(document):
        if re.search(r"-----BEGIN [A-Z ]*PRIVATE KEY-----", value.text):
            why = "every process on the machine can read user-data, and so can whoever administers the platform"
            yield Finding(
                value.at, "warning", "a private key in user-data", why, "bring it over SSH when the machine is up"
            )


def _contents(document: Document) -> Iterator[Value]:
    for holder in (*document.files(), *document.units()):
        content = holder.get(document.target.content)
        if content and not holder.texts("encoding"):
            yield content


def _clean(path: str) -> str:
    return "/" + normpath("/" + path).lstrip("/")


def _decode(content: str, encoding: str) -> tuple[bytes, str]:
    """The bytes, or why there are none. An encoding that there is not is another rule's."""
    data = content.encode("utf-8", "surrogateescape")
    try:
        if encoding.endswith(("b64", "base64")):
            data = base64.b64decode(re.sub(rb"[\r\n]", b"", data), validate=True)
        if encoding.startswith("gz"):
            unpack = zlib.decompressobj(wbits=31)
            data = unpack.decompress(data, MOST)
            if not unpack.eof:
                return b"", f"it is cut off, or more than {MOST >> 20} MiB"
    except (binascii.Error, zlib.error) as error:
        return b"", str(error)
    return data, ""
