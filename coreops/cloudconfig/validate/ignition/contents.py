"""Rules on what is fetched or carried in a ``data:`` URL: sources, hashes, compression, headers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from coreops.cloudconfig.validate.document import Document, mappings
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.tree import Value

MOST: Final = 64 << 20
_SCHEMES: Final = ("http", "https", "tftp", "s3", "gs", "data")
_DATA = re.compile(
    r"data:(?:[\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=(?:[\w.+-]+|\"[^\"]*\"))*(?P<b64>;base64)?,(?P<data>.*)", re.DOTALL
)
_PLAIN = re.compile(r"(?:[A-Za-z0-9;/?:@&=+$,._!~*'()-]|%[0-9A-Fa-f]{2})*")
_HASHES: Final = {"sha512": 128, "sha256": 64}


@dataclass(frozen=True, slots=True)
class Resource:
    """Something to be fetched. required: it has to say from where."""

    value: Value
    required: bool = False


def resources(document: Document) -> list[Resource]:
    """Every resource of the document."""
    found: list[Resource] | None = document.memo.get("resources")
    if found is None:
        found = document.memo["resources"] = list(_resources(document.root))
    return found


def _resources(root: Value) -> Iterator[Resource]:
    config, storage = root.get("ignition", "config"), root.get("storage")
    if config and (replace := config.get("replace")):
        yield Resource(replace)
    lists = [config.get("merge") if config else None, root.get("ignition", "security", "tls", "certificateAuthorities")]
    for items in lists:
        yield from (Resource(item, required=True) for item in mappings(items))
    for file in mappings(storage.get("files") if storage else None):
        if contents := file.get("contents"):
            yield Resource(contents)
        yield from (Resource(item) for item in mappings(file.get("append")))
    for device in mappings(storage.get("luks") if storage else None):
        if key := device.get("keyFile"):
            yield Resource(key)


def urls(document: Document) -> Iterator[Finding]:
    """Sources that Ignition cannot fetch or read."""
    for resource in resources(document):
        source = resource.value.get("source")
        ways = [way for way in ("source", "inline", "local") if resource.value.get(way)]
        if len(ways) > 1 and document.target.name == "butane":
            yield Finding(
                resource.value.at, "error", f"{' and '.join(ways)} exclude each other", next="keep one of them"
            )
        if resource.required and not any(resource.value.texts(way) for way in ways):
            yield Finding(resource.value.at, "error", "it does not say from where", next="add source")
        if source and source.text and (why := _wrong_url(source.text)):
            yield Finding(source.at, "error", f"invalid source {source.text[:60]!r}", why)
        if resource.value.get("httpHeaders") and _scheme(resource.value.texts("source")) not in (
            "http",
            "https",
        ):
            yield Finding(resource.value.at, "error", "httpHeaders need a source that is fetched over http or https")
        if resource.value.texts("verification", "hash") and not ways:
            yield Finding(resource.value.at, "error", "a hash of nothing", "there is no source")


def _scheme(url: str) -> str:
    """The scheme of a URL; an empty text where there is none to be had."""
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def _wrong_url(url: str) -> str:
    if url.startswith("data:"):
        return _decode(url)[1]
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url):
        return f"it must begin with one of {', '.join(_SCHEMES)}:"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in _SCHEMES:
        return f"{parts.scheme}: is not fetched; it must be one of {', '.join(_SCHEMES)}"
    if parts.scheme == "data":
        return "write data: in small letters"
    if re.search(r"[\s\x00-\x20\x7f]", url) or re.search(r"%(?![0-9A-Fa-f]{2})", url):
        return "a space, or a % that begins no escape"
    if not host:
        return "no host in it"
    if parts.scheme == "s3" and parse_qs(parts.query, keep_blank_values=True).get("versionId") == [""]:
        return "versionId is empty"
    return ""


def _decode(url: str) -> tuple[bytes, str]:
    """The bytes in a ``data:`` URL, or why there are none."""
    match = _DATA.fullmatch(url)
    if match is None:
        return b"", "a data URL is data:[type/subtype][;name=value][;base64],DATA"
    data = match["data"]
    if match["b64"]:
        try:
            return base64.b64decode(data, validate=True), ""
        except (binascii.Error, ValueError) as error:
            return b"", str(error)
    good = _PLAIN.match(data)
    if good is None or good.end() != len(data):
        at = good.end() if good else 0
        return b"", f"{data[at]!r} has to be written as %{ord(data[at]) & 0xFF:02X}" if ord(data[at]) < 128 else (
            f"{data[at]!r} has to be percent-encoded"
        )
    return unquote_to_bytes(data), ""


def held(resource: Value) -> tuple[bytes | None, str]:
    """What a resource holds itself, uncompressed; None when it has to be fetched. And why it cannot be read."""
    source = resource.texts("source")
    inline = resource.get("inline")
    if inline:
        return inline.text.encode("utf-8", "surrogateescape"), ""
    if not source.startswith("data:"):
        return None, ""
    data, why = _decode(source)
    if why:
        return None, ""  # the rule on URLs says it
    if resource.texts("compression") != "gzip":
        return data, ""
    try:
        unpack = zlib.decompressobj(wbits=31)
        plain = unpack.decompress(data, MOST)
        return (plain, "") if unpack.eof else (None, f"it is cut off, or more than {MOST >> 20} MiB")
    except zlib.error as error:
        return None, str(error)


def hashes(document: Document) -> Iterator[Finding]:
    """Hashes that are none, or not of what is there; contents that are not compressed as they say."""
    for resource in resources(document):
        data, why = held(resource.value)
        compression = resource.value.get("compression")
        if why and compression:
            yield Finding(compression.at, "error", "the contents are not gzip", why)
        value = resource.value.get("verification", "hash")
        if not value or value.kind != "text":
            continue
        name, dash, digits = value.text.partition("-")
        what = f"invalid hash {value.text[:20]!r}"
        if not dash or name not in _HASHES:
            yield Finding(value.at, "error", what, next="write sha512- or sha256- and the digits")
        elif not re.fullmatch("[0-9A-Fa-f]*", digits) or len(digits) != _HASHES[name]:
            yield Finding(value.at, "error", what, f"{name} has {_HASHES[name]} hexadecimal digits")
        elif data is not None and hashlib.new(name, data).hexdigest() != digits.lower():
            why = "the machine does not boot: Ignition refuses the file"
            yield Finding(value.at, "error", "the hash is not that of the contents", why)


def headers(document: Document) -> Iterator[Finding]:
    """HTTP headers without a name or a value, and proxies that are none."""
    for resource in resources(document):
        for header in mappings(resource.value.get("httpHeaders")):
            value = header.get("value")
            if (name := header.get("name")) and not name.text:
                yield Finding(name.at, "error", "a header without a name")
            if value and value.kind == "text" and not value.text:
                yield Finding(value.at, "error", "a header with an empty value")
    for key in ("httpProxy", "httpsProxy"):
        proxy = document.root.get("ignition", "proxy", key)
        if proxy and proxy.kind == "text" and _scheme(proxy.text) not in ("http", "https"):
            yield Finding(proxy.at, "error", f"invalid {document.target.written(key)}", "it must be http or https")
