"""What is to be delivered, and the files that come out. Knows no form of delivery."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from coreops.cloudconfig.platforms.platform import Platform

SUFFIXES: Final = {"coreos": ".yaml", "cloud-init": ".yaml", "ignition": ".ign"}
"""What the user-data of a target is called as a file."""


def safe_name(text: str) -> str:
    """Any text as a file name, a word and a line, as a render names its files: what it may not hold is %XX."""
    safe = quote(text, safe="@:+,=")
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file to write, beside the others of its package."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """One more part of multipart user-data: a script, a cloud-config. name: its file name, for the machine's log."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Boot:
    """What a machine boots over the network: URLs (or paths beside the script) and more kernel arguments."""

    kernel: str
    initrds: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One node's user-data (never compressed), and what is known of the machine that will read it.

    url: a folder where the package will be served, when it ends in ``/``; else the address of the user-data itself.
    metadata: goes into the metadata document of forms that have one; ``hostname`` under the name that it has there.
    """

    node: str
    data: bytes
    target: str
    platform: Platform | None = None
    url: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    boot: Boot | None = None
    parts: tuple[Part, ...] = ()

    @property
    def stem(self) -> str:
        """The node's name as a file name."""
        return safe_name(self.node)

    @property
    def hostname(self) -> str:
        """The metadata's host name, or the node's up to the first dot."""
        return self.metadata.get("hostname") or self.node.partition(".")[0]

    def file(self, suffix: str, data: bytes | str) -> PackedFile:
        """A file of this node."""
        return PackedFile(self.stem + suffix, data.encode() if isinstance(data, str) else data)

    def user_data(self) -> PackedFile:
        """The user-data as a file of its own."""
        return self.file(SUFFIXES[self.target], self.data)

    def nocloud(self) -> bytes:
        """The ``meta-data`` that cloud-init wants: JSON, which is YAML that nothing in a name can break.

        Changed user-data makes a new instance-id: only then does cloud-init take the boot for a first one.
        """
        digest = hashlib.sha256(self.data + b"".join(part.data for part in self.parts)).hexdigest()
        more = {key: value for key, value in self.metadata.items() if key != "hostname"}
        said = {"instance-id": f"{self.stem}-{digest[:16]}", "local-hostname": self.hostname} | more
        return (json.dumps(said, indent=2) + "\n").encode()
