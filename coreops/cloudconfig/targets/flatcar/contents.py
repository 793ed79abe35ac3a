"""The content of one of ``write_files`` as bytes, whatever its encoding. Knows no target."""

from __future__ import annotations

import base64
import binascii
import re
import zlib

from coreops.errors import InputError

MOST = 64 << 20
"""Bytes that a compressed content may hold: who unpacks more than this was sent a bomb."""


def decode(path: str, content: str, encoding: str | None) -> tuple[bytes, bool]:
    """Return the bytes, and whether they are compressed. Raises InputError for what is not as its encoding says."""
    data = content.encode()
    if encoding is None:
        return data, False
    try:
        if encoding.endswith(("b64", "base64")):
            data = base64.b64decode(re.sub(rb"[\r\n]", b"", data), validate=True)
        if not encoding.startswith("gz"):
            return data, False
        unpack = zlib.decompressobj(wbits=31)
        unpack.decompress(data, MOST)
        why = "" if unpack.eof else f"it is cut off, or more than {MOST >> 20} MiB"
    except (binascii.Error, zlib.error) as error:
        why = str(error)
    if why:
        raise InputError(f"write_files[{path}].content cannot be decoded as {encoding!r}", why=why)
    return data, True
