"""Drives: the same bytes at any time, and the right files under the right label for who reads them."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from coreops.delivery import iso
from coreops.delivery.iso import TOOLS, Tool, image
from coreops.delivery.package import package
from coreops.errors import CoreopsError, InputError
from tests.delivery.programs import ask_cloud_init, need

DATA = "#cloud-config\nhostname: n1  # ünï ☃\n".encode() + b"# x\n" * 3000
TREE = {"openstack/latest/user_data": DATA, "openstack/latest/meta_data.json": b"{}"}


@pytest.fixture(params=TOOLS, ids=lambda tool: tool.name)
def tool(request: pytest.FixtureRequest) -> Tool:
    need(request.param.name, {"xorrisofs": "xorriso"}.get(request.param.name, "genisoimage"))
    assert isinstance(request.param, Tool)
    return request.param


def extracted(image: bytes, folder: Path) -> dict[str, bytes]:
    """The files of an image, as libisofs reads them."""
    need("xorriso", "xorriso")
    (folder / "drive.iso").write_bytes(image)
    words = ["xorriso", "-osirrox", "on", "-indev", "drive.iso", "-extract", "/", "root"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=30)
    root = folder / "root"
    subprocess.run(["chmod", "-R", "u+rwX", str(root)], check=True)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def label(image: bytes, folder: Path) -> str:
    """The label that udev would find."""
    (folder / "drive.iso").write_bytes(image)
    words = [need("blkid", "util-linux"), "-p", "-o", "value", "-s", "LABEL", str(folder / "drive.iso")]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


@pytest.mark.slow
def test_the_same_bytes_at_another_time() -> None:
    tools = [tool for tool in TOOLS if iso.shutil.which(tool.name)]
    if not tools:
        pytest.skip("there is no program that makes ISO images (apt-get install xorriso)")
    first = [image("config-2", TREE, tool) for tool in tools]
    # What is written in whole seconds must have had the time to change.
    began = int(time.time())
    deadline = time.monotonic() + 60
    while int(time.time()) == began:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [image("config-2", TREE, tool) for tool in tools] == first


def test_the_files_are_there(tool: Tool, tmp_path: Path) -> None:
    made = image("config-2", TREE, tool)
    assert label(made, tmp_path) == "config-2"
    assert extracted(made, tmp_path) == TREE


@pytest.mark.parametrize("names", ["joliet", "rock ridge"])
def test_the_names_are_those_that_linux_sees(tool: Tool, names: str, tmp_path: Path) -> None:
    """isoinfo reads one set of names alone: Linux prefers Rock Ridge's and takes Joliet's if there are none."""
    if names == "rock ridge" and not tool.arguments:
        pytest.skip("this tool writes Joliet's only")
    need("isoinfo", "genisoimage")
    (tmp_path / "drive.iso").write_bytes(image("cidata", {"user-data": DATA, "meta-data": b"{}"}, tool))
    words = ["isoinfo", "-J" if names == "joliet" else "-R", "-f", "-i", str(tmp_path / "drive.iso")]
    found = subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout.split()
    assert sorted(found) == ["/meta-data", "/user-data"]


def test_a_config_drive(tmp_path: Path) -> None:
    need("xorrisofs", "xorriso")
    name = 'n1 "$(id)".example'
    (file,) = package("iso", name, DATA, "coreos", None, metadata={"role": "member"})
    assert file.name == "n1%20%22%24%28id%29%22.example.iso"
    assert label(file.data, tmp_path) == "config-2"
    found = extracted(file.data, tmp_path)
    assert found["openstack/latest/user_data"] == DATA
    meta = json.loads(found["openstack/latest/meta_data.json"])
    assert meta == {"hostname": 'n1 "$(id)"', "meta": {"role": "member"}}


def test_a_seed_as_cloud_init_reads_it(tmp_path: Path) -> None:
    need("xorrisofs", "xorriso")
    (file,) = package("iso", "n1.example", DATA, "cloud-init", None, metadata={"hostname": "off"})
    assert label(file.data, tmp_path) == "cidata"
    extracted(file.data, tmp_path)
    found = ask_cloud_init(tmp_path, "folder", "root")
    assert found["parsed"]["local-hostname"] == "off"
    assert found["parsed"]["instance-id"].startswith("n1.example-")


def test_without_a_tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="install xorriso"):
        package("iso", "n1", DATA, "coreos", None, metadata={})


@pytest.mark.parametrize(
    ("script", "says"), [("echo 'no room' >&2; exit 3", "no room"), ("exit 3", "exit 3"), ("exit 0", "made no image")]
)
def test_a_tool_that_fails(script: str, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "xorrisofs").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "xorrisofs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(CoreopsError, match=says):
        package("iso", "n1", DATA, "coreos", None, metadata={})
