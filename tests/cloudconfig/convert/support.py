"""A conversion in a line: the document as text, the result as data."""

from __future__ import annotations

from typing import Any

import yaml

from coreops.cloudconfig.convert.convert import Converted, convert
from coreops.cloudconfig.platforms.records import find

FILE = "user-data"


def run(text: str, to: str = "coreos", platform: str | None = None, **addresses: str) -> Converted:
    """Convert a document, its header added."""
    where = find(platform) if platform else None
    return convert(f"#cloud-config\n{text}".encode(), FILE, to, platform=where, addresses=addresses)


def plain(done: Converted) -> Any:
    """The result as data, where it is YAML."""
    return yaml.safe_load(done.data)


def said(done: Converted) -> list[str]:
    """The notes and the losses, as they are printed."""
    return [str(each) for each in (*done.notes, *done.losses)]


def has(done: Converted, *words: str) -> bool:
    """Does one line of the report hold all the words?"""
    return any(all(word in line for word in words) for line in said(done))
