"""User-data and further parts in one multipart message, as cloud-init and Flatcar's coreos-cloudinit take it.

Readable where it can be; the boundary is made of the contents, so the same parts are the same bytes.
"""

from __future__ import annotations

import hashlib
from base64 import encodebytes
from email import policy
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from typing import Final

from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.cloudconfig.platforms.size import fit
from coreops.delivery.request import PackedFile, Part, Request, safe_name
from coreops.errors import InputError

# The first line says what a part is; the order matters where one is the beginning of another.
_TYPES: Final = (
    ("#!", "x-shellscript"),
    ("#cloud-config-archive", "cloud-config-archive"),
    ("#cloud-config-jsonp", "cloud-config-jsonp"),
    ("#cloud-config", "cloud-config"),
    ("#cloud-boothook", "cloud-boothook"),
    ("#include-once", "x-include-once-url"),
    ("#include", "x-include-url"),
    ("#part-handler", "part-handler"),
    ("## template: jinja", "jinja2"),
)
_COREOS: Final = ("cloud-config", "x-shellscript")
_LONGEST_LINE: Final = 998  # RFC 5322, 2.1.1


def pack(request: Request) -> tuple[PackedFile, ...]:
    """Return the message. Raises InputError for who cannot read it, unknown parts, and too many bytes."""
    platform = request.platform
    if request.target == "coreos" and not (platform and "multipart" in platform.encodings):
        able = ", ".join(each.name for each in PLATFORMS.values() if "multipart" in each.encodings)
        raise InputError(
            f"multipart user-data is not for the target coreos{f' on {platform.name}' if platform else ''}",
            why="only Flatcar's coreos-cloudinit reads it; CoreOS's takes the whole message for unknown user-data",
            next=f"put the parts into write_files and units, or name a --platform where Flatcar runs: {able}",
        )
    parts = (Part(f"{request.stem}.yaml", request.data), *request.parts)
    names = [safe_name(part.name) for part in parts]
    if again := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two parts are named {again}", why="the machine keeps the last of them", next="rename one")
    data = message([(part, _type(part, request.target)) for part in parts])
    if platform is None:
        return (request.file(".mime", data),)
    size = fit(data, platform, request.target)
    if size.over:
        raise InputError(
            f"{size.over} {size.unit} too many for {platform.name}, which takes {size.most}",
            why="the parts: " + ", ".join(f"{part.name} ({len(part.data)})" for part in parts),
            next="fetch large content on the node instead of carrying it in user-data",
        )
    return (request.file(".mime.gz" if size.zipped else ".mime", size.data),)


def message(parts: list[tuple[Part, str]]) -> bytes:
    """Return a message of parts and their subtypes of ``text``."""
    digest = hashlib.sha256()
    for part, kind in parts:
        for each in (part.name.encode(), kind.encode(), part.data):
            digest.update(len(each).to_bytes(8, "big") + each)
    whole = MIMEMultipart("mixed", boundary=f"==coreops-{digest.hexdigest()[:32]}==")
    for part, kind in parts:
        whole.attach(_attachment(part, kind))
    return whole.as_bytes(policy=policy.compat32.clone(linesep="\n"))


def _attachment(part: Part, kind: str) -> Message:
    made = MIMENonMultipart("text", kind, charset="utf-8")
    made.add_header("Content-Disposition", "attachment", filename=safe_name(part.name))
    if _plain(part.data):
        made["Content-Transfer-Encoding"] = "7bit"
        made.set_payload(part.data.decode("ascii"))
    else:
        made["Content-Transfer-Encoding"] = "base64"
        made.set_payload(encodebytes(part.data).decode("ascii"))
    return made


def _plain(data: bytes) -> bool:
    lines = data.split(b"\n")
    return data.isascii() and not {0, 13} & set(data) and max(map(len, lines)) <= _LONGEST_LINE


def _type(part: Part, target: str) -> str:
    try:
        first = part.data.decode().partition("\n")[0]
    except UnicodeDecodeError as error:
        raise InputError("a part must be text in UTF-8", where=part.name, why=str(error)) from None
    kind = next((kind for mark, kind in _TYPES if first.startswith(mark)), None)
    if kind is None:
        raise InputError(
            "the part's first line does not say what it is",
            where=part.name,
            next=f"begin it with one of {', '.join(mark for mark, _ in _TYPES)}",
        )
    if target == "coreos" and kind not in _COREOS:
        raise InputError(
            f"coreos-cloudinit reads no part of type text/{kind}",
            where=part.name,
            next="give it scripts (#!) and cloud-config (#cloud-config)",
        )
    return kind
