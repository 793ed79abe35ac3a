"""Arguments for QEMU: what its firmware interface then holds for the guest."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from coreops.delivery.fw_cfg import option
from coreops.delivery.package import package
from tests.delivery.programs import Firmware, ask_cloud_init

pytestmark = pytest.mark.slow

IGNITION = b'{"ignition": {"version": "3.3.0"}}\n'


def written(folder: Path, node: str, data: bytes, target: str, url: str | None = None) -> list[str]:
    """Pack into a folder; the words of the file of arguments, as a shell and as xargs read them."""
    files = package("fw_cfg", node, data, target, None, url=url, metadata={})
    for file in files:
        (folder / file.name).write_bytes(file.data)
    words = shlex.split(files[0].data.decode())
    printed = ["xargs", "-a", files[0].name, "printf", r"%s\0"]
    by_xargs = subprocess.run(printed, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert by_xargs == "".join(f"{word}\0" for word in words)
    assert [shlex.split(line) for line in files[0].data.decode().splitlines()] == [[word] for word in words]
    return words


@pytest.mark.parametrize("node", ["n1", "-n1,x=y 'a' $(id)\n"])
def test_ignition_is_in_the_firmware(node: str, tmp_path: Path) -> None:
    words = written(tmp_path, node, IGNITION, "ignition")
    found = Firmware(words, tmp_path).files()
    assert found["opt/org.flatcar-linux/config"] == found["opt/com.coreos/config"] == IGNITION


def test_the_seed_is_in_the_serial(tmp_path: Path) -> None:
    words = written(tmp_path, "n1", b"#cloud-config\n", "cloud-init", "http://10.0.2.2:8080/a,b/?'x/")
    tables = Firmware(words, tmp_path).files()["etc/smbios/smbios-tables"]
    serial = next(text for text in tables.split(b"\0") if text.startswith(b"ds="))
    found = ask_cloud_init(tmp_path, "arguments", serial.decode())
    assert found == {"seedfrom": "http://10.0.2.2:8080/a,b/?'x/n1.%s"}


def test_a_comma_is_doubled() -> None:
    assert option("a,b,,") == "a,,b,,,,"
