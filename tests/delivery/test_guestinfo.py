"""Settings for VMware: what the guest's agents get out is what went in."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.delivery.guestinfo import vmx
from coreops.delivery.package import package
from tests.delivery.programs import ask_cloud_init

DATA = '#cloud-config\nhostname: n1  # ünï ☃ | "quotes"\n'.encode()
# Stands in for VMware's tool in the guest: answers from the .vmx file beside it.
TOOL = r"""#!/bin/sh
key=${1#info-get }
sed -n "s/^$key = \"\(.*\)\"\$/\1/p" "$(dirname "$0")/n1.vmx"
"""


def packed(target: str, node: str = "n1", **metadata: str) -> dict[str, bytes]:
    return {file.name: file.data for file in package("vmware-guestinfo", node, DATA, target, None, metadata=metadata)}


def settings(file: bytes) -> dict[str, str]:
    """The lines of a .vmx file."""
    lines = [re.fullmatch(r'([a-z.]+) = "([^"\n]*)"', line) for line in file.decode().splitlines()]
    return {line[1]: undone(line[2]) for line in lines if line}


def undone(value: str) -> str:
    """As VMware reads a value: |XX is a character."""
    return re.sub(r"\|([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), value)


@pytest.mark.parametrize(("target", "key"), [("coreos", "coreos.config.data"), ("ignition", "ignition.config.data")])
def test_what_the_guest_decodes(target: str, key: str) -> None:
    found = settings(packed(target)["n1.vmx"])
    assert found[f"guestinfo.{key}.encoding"] == "gzip+base64"
    assert gzip.decompress(b64decode(found[f"guestinfo.{key}"], validate=True)) == DATA
    assert found.get("guestinfo.hostname") == ("n1" if target == "coreos" else None)


def test_cloud_init_reads_it(tmp_path: Path) -> None:
    for name, data in packed("cloud-init", hostname='n1 "x" | y').items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "tool").write_text(TOOL)
    (tmp_path / "tool").chmod(0o755)
    found = ask_cloud_init(tmp_path, "guestinfo", str(tmp_path / "tool"))
    assert found["userdata"] == DATA.decode()
    assert json.loads(found["metadata"])["local-hostname"] == 'n1 "x" | y'
    assert found["vendordata"] is None


@pytest.mark.parametrize("target", ["coreos", "cloud-init", "ignition"])
def test_govc_is_told_the_same(target: str, tmp_path: Path) -> None:
    """xargs gives govc its arguments; -f reads a value from a file, -e has it."""
    files = packed(target, "n1 '$(id)',x")
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    vmx_file, govc_file = (next(name for name in files if name.endswith(end)) for end in (".vmx", ".govc"))
    words = subprocess.run(
        ["xargs", "-a", str(tmp_path / govc_file), "printf", r"%s\0"], check=True, capture_output=True, text=True
    ).stdout.split("\0")[:-1]
    assert words == shlex.split(files[govc_file].decode())
    found = {}
    for option, word in zip(words[::2], words[1::2], strict=True):
        key, _, value = word.partition("=")
        found[key] = (tmp_path / value).read_text() if option == "-f" else value
    assert found == settings(files[vmx_file])


@given(st.text())
def test_no_value_ends_its_line(value: str) -> None:
    written = vmx(value)
    assert '"' not in written
    assert not set(written) & set("\n\r\0")
    assert undone(written) == value
