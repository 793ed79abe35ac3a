"""User-data as VMware's guestinfo: lines for a .vmx file, and arguments for ``govc vm.change``.

Values are compressed and in base64, which no quoting between here and the guest can change.
"""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from typing import Final

from coreops.delivery.request import PackedFile, Request
from coreops.shell.quote import join

DATA: Final = {"coreos": "coreos.config.data", "cloud-init": "userdata", "ignition": "ignition.config.data"}
_ENCODING: Final = "gzip+base64"
# What open-vm-tools' own writer of such files escapes: control characters but the tab, the quote, its escape, DEL.
_ESCAPED: Final = re.compile(r"[\x00-\x08\x0a-\x1f\"|\x7f]")


def pack(request: Request) -> tuple[PackedFile, ...]:
    """Return NODE.vmx (lines to append), NODE.govc (arguments) and the values it reads from files."""
    values = {DATA[request.target]: _encoded(request.data)}
    if request.target == "cloud-init":
        values["metadata"] = _encoded(request.nocloud())
    small = {f"{key}.encoding": _ENCODING for key in values}
    if request.target == "coreos":
        small["hostname"] = request.hostname
    lines = [f'guestinfo.{key} = "{vmx(value)}"\n' for key, value in sorted((values | small).items())]
    # Long values go by file: an argument has an end, and every process on this machine can read it.
    words = [("-f", f"guestinfo.{key}={request.stem}.{key}") for key in values]
    words += [("-e", f"guestinfo.{key}={value}") for key, value in small.items()]
    return (
        request.file(".vmx", "".join(lines)),
        request.file(".govc", "".join(join(pair) + "\n" for pair in words)),
        *(request.file(f".{key}", value) for key, value in values.items()),
    )


def _encoded(data: bytes) -> str:
    return b64encode(gzip.compress(data, mtime=0)).decode()


def vmx(value: str) -> str:
    """A value as it stands between the quotes of a .vmx file."""
    return _ESCAPED.sub(lambda found: f"|{ord(found.group()):02X}", value)
