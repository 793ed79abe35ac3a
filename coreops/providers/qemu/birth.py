"""What a machine is told at birth: user-data, with what the provider itself adds, as a drive or as a firmware file.

cloud-init finds a NoCloud drive; the provider's part (the address, the host key that coreops made) is beside the
user-data in files of their own. Ignition reads one document, which takes the user-data in by ``merge``.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from coreops.errors import InputError
from coreops.providers.namespace.host import run, write_atomically
from coreops.providers.namespace.keys import KeyPair

SERIAL: Final = "ds=nocloud"
"""In SMBIOS: look for a drive, and for nothing else."""
FW_CFG: Final = ("opt/org.flatcar-linux/config", "opt/com.coreos/config")
_TOOLS: Final = {"xorrisofs": ("-rational-rock",), "genisoimage": (), "mkisofs": ()}
_KEY: Final = "/etc/ssh/ssh_host_ed25519_key"


@dataclass(frozen=True, slots=True)
class Birth:
    """What one machine is to be told. address: with the length of the network's prefix."""

    node: str
    id: str
    address: str
    mac: str
    host_key: KeyPair
    user_data: bytes


def nocloud(birth: Birth) -> dict[str, bytes]:
    """The files of the drive. JSON is YAML. Pure."""
    network = {
        "version": 2,
        "ethernets": {"cable": {"match": {"macaddress": birth.mac}, "addresses": [birth.address]}},
    }
    keys = {"ed25519_private": birth.host_key.private, "ed25519_public": birth.host_key.public}
    return {
        "meta-data": _json({"instance-id": birth.id, "local-hostname": birth.node}),
        "network-config": _json(network),
        "user-data": birth.user_data,
        "vendor-data": b"#cloud-config\n" + _json({"ssh_keys": keys}),
    }


def ignition(birth: Birth) -> bytes:
    """The provider's document around the user-data. Raises InputError for what is none. Pure."""
    try:
        version = str(json.loads(birth.user_data)["ignition"]["version"])
    except (ValueError, KeyError, TypeError):
        raise InputError(
            "the user-data is not Ignition", where=birth.node, next="qemu_target: ignition renders it"
        ) from None
    if not version.startswith("3."):
        raise InputError(
            f"the user-data is Ignition {version}",
            where=birth.node,
            why="the provider adds the address and the host key by a merge, which version 3 has",
            next="render it for version 3",
        )
    unit = f"[Match]\nMACAddress={birth.mac}\n\n[Network]\nAddress={birth.address}\n"
    files = [
        _file("/etc/systemd/network/00-coreops.network", unit, 0o644),
        _file(_KEY, birth.host_key.private, 0o600),
        _file(f"{_KEY}.pub", birth.host_key.public + "\n", 0o644),
    ]
    merged = {"source": _data(birth.user_data)}
    return _json({"ignition": {"version": "3.0.0", "config": {"merge": [merged]}}, "storage": {"files": files}})


def _file(path: str, text: str, mode: int) -> dict[str, Any]:
    return {"path": path, "mode": mode, "overwrite": True, "contents": {"source": _data(text.encode())}}


def _data(content: bytes) -> str:
    return "data:;base64," + base64.b64encode(content).decode()


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def tool() -> str:
    """The program that makes the drive. Raises InputError when none is installed."""
    found = next((name for name in _TOOLS if shutil.which(name)), None)
    if found is None:
        raise InputError(
            "no program that makes ISO images is installed",
            why=f"looked for {', '.join(_TOOLS)}; cloud-init finds its user-data on such a drive",
            next="apt-get install --no-install-recommends xorriso",
        )
    return found


def write_drive(files: Mapping[str, bytes], target: Path) -> None:
    """Make the drive. It holds the host's private key: only its owner may read it."""
    program = tool()
    with TemporaryDirectory(prefix=".seed-", dir=target.parent) as aside:
        root, out = Path(aside, "root"), Path(aside, "seed.iso")
        root.mkdir()
        for name, content in files.items():
            write_atomically(root / name, content, 0o600)
        run([program, *_TOOLS[program], "-quiet", "-joliet", "-volid", "cidata", "-output", str(out), str(root)])
        out.chmod(0o600)
        os.replace(out, target)
