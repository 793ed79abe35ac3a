from __future__ import annotations

import io
import json
import struct
import tarfile
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.providers.vagrant.box import GIB, build, inspect


def qcow2(size: int) -> bytes:
    return struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 0, 0, 16, size) + bytes(64)


def box(folder: Path, **parts: bytes) -> Path:
    path = folder / "some.box"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in parts.items():
            member = tarfile.TarInfo(f"./{name.replace('_', '.')}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def metadata(**keys: object) -> bytes:
    return json.dumps({"provider": "libvirt", "format": "qcow2", "virtual_size": 5} | keys).encode()


def test_a_box_whose_size_is_exact_is_good(tmp_path: Path) -> None:
    assert inspect(box(tmp_path, metadata_json=metadata(), box_img=qcow2(5 * GIB))) == 5


@pytest.mark.parametrize("size", [5 * GIB - 512, 5 * GIB + 1, 6 * GIB, 0])
def test_a_disk_of_another_size_is_told_with_both_sizes(tmp_path: Path, size: int) -> None:
    with pytest.raises(InputError, match="wrong size") as caught:
        inspect(box(tmp_path, metadata_json=metadata(), box_img=qcow2(size)))
    assert caught.value.why is not None
    assert str(5 * GIB) in caught.value.why
    assert str(size) in caught.value.why


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"box_img": qcow2(GIB)}, r"no metadata\.json in the box"),
        ({"metadata_json": metadata()}, r"no box\.img in the box"),
        ({"metadata_json": b"{", "box_img": b""}, "not a Vagrant box"),
        ({"metadata_json": b"[]", "box_img": b""}, "not a box for vagrant-libvirt"),
        ({"metadata_json": metadata(provider="virtualbox"), "box_img": b""}, "not a box for vagrant-libvirt"),
        ({"metadata_json": metadata(virtual_size="5"), "box_img": b""}, "no virtual_size"),
        ({"metadata_json": metadata(virtual_size=True), "box_img": b""}, "no virtual_size"),
        ({"metadata_json": metadata(), "box_img": b"raw"}, "not qcow2"),
    ],
)
def test_what_is_no_such_box_is_refused(tmp_path: Path, parts: dict[str, bytes], what: str) -> None:
    with pytest.raises(InputError, match=what):
        inspect(box(tmp_path, **parts))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no")
    for path in (tmp_path / "text", tmp_path / "absent", tmp_path):
        with pytest.raises(InputError, match="not a Vagrant box"):
            inspect(path)


def test_a_missing_program_is_told_before_anything_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coreops.providers.vagrant.box.require_linux_root", lambda: None)
    monkeypatch.setattr("coreops.providers.vagrant.box.missing_packages", lambda programs: dict(programs))
    with pytest.raises(InputError, match="programs are missing") as caught:
        build(tmp_path / "x.box", lambda event: None)
    assert "qemu-utils" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
