"""What user-data is, by its first bytes, and the traps that lie there."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Literal

from coreops.cloudconfig.platforms.substitution import place
from coreops.cloudconfig.validate.finding import Finding
from coreops.errors import InputError
from coreops.model import Position
from coreops.yaml_marks import decode as decode_text

MOST = 10 << 20
"""Bytes that are looked at; no platform takes a tenth of it."""
HEADER = "#cloud-config"
Kind = Literal["cloud-config", "script", "ignition", "empty", "unknown"]


def decode(data: bytes, file: str) -> str:
    """The text of user-data, uncompressed. Raises InputError for what is no text."""
    where = Position(file)
    if data.startswith(b"\x1f\x8b"):
        try:
            unpack = zlib.decompressobj(wbits=31)
            data = unpack.decompress(data, MOST + 1)
        except zlib.error as error:
            raise InputError("not valid gzip", where=where, why=str(error)) from None
        if not unpack.eof and len(data) <= MOST:
            raise InputError("not valid gzip", where=where, why="it is cut off")
    if len(data) > MOST:
        raise InputError(f"more than {MOST >> 20} MiB", where=where, why="no platform takes user-data of that size")
    return decode_text(data, file)


def kind(text: str) -> Kind:
    """What coreos-cloudinit takes a text for; a byte order mark is not looked at."""
    text = text.removeprefix("\ufeff")
    if not text:
        return "empty"
    if text.startswith("#!"):
        return "script"
    if text.split("\n", 1)[0].rstrip() == HEADER:
        return "cloud-config"
    return "ignition" if _is_ignition(text) else "unknown"


def _is_ignition(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict):
        return False
    section = document.get("ignition")
    return "ignitionVersion" in document or (isinstance(section, dict) and "version" in section)


def header(text: str, file: str) -> Iterator[Finding]:
    """Findings on the first line and on line endings."""
    found, top = kind(text), Position(file, 1, 1)
    if text.startswith("\ufeff"):
        why = "coreos-cloudinit compares the first line to the byte, and refuses the file"
        yield Finding(
            top, "error", "a byte order mark (BOM) before the first line", why, "save it as UTF-8 without BOM"
        )
    if found == "unknown":
        yield _refused(text.removeprefix("\ufeff"), file)
    if "\r" in text:
        why = "the kernel looks for an interpreter whose name ends in \\r" if found == "script" else "YAML allows it"
        yield Finding(
            place(text, text.index("\r"), file),
            "error" if found == "script" else "warning",
            "lines end in CR LF",
            why,
            "save with LF",
        )


def _refused(text: str, file: str) -> Finding:
    lines = [line.strip().lower().lstrip("# ").replace("_", "-") for line in text.split("\n")]
    wanted = HEADER.lstrip("#")
    row = next((number for number, line in enumerate(lines, 1) if line == wanted), 0)
    if text.startswith("## template: jinja"):
        why, hint = "a template of cloud-init, which coreos-cloudinit does not know", "render it first"
    elif row == 1:
        why, hint = f"it is {text.split(chr(10), 1)[0].rstrip()!r}", "write it without spaces, in small letters"
    elif row:
        why, hint = f"{HEADER} is on line {row}", "move it to the first line"
    else:
        why, hint = "coreos-cloudinit refuses the file", f"write {HEADER} on the first line"
    return Finding(Position(file, 1, 1), "error", f'the first line must be "{HEADER}" or begin with "#!"', why, hint)
