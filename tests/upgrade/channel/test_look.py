"""What an image says of itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.upgrade.channel import look


def squashfs(folder: Path, files: dict[str, str]) -> Path:
    if not shutil.which("mksquashfs") or not shutil.which("unsquashfs"):
        pytest.skip("needs squashfs-tools")
    tree = folder / "tree"
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    image = folder / "-usr 'x'.squashfs"
    subprocess.run(["mksquashfs", tree, image.absolute(), "-quiet", "-no-progress"], check=True, capture_output=True)
    return image


OS_RELEASE = 'NAME="x y"\n# VERSION_ID=7\nVERSION_ID="1.1.0"\nBROKEN="\n'


def test_the_right_version(tmp_path: Path) -> None:
    image = squashfs(tmp_path, {"lib/os-release": OS_RELEASE})
    assert look.check(image, "1.1.0", "amd64-usr") == ("the image does not say its board",)
    with pytest.raises(InputError, match=r"version is 1\.1\.0, not 1\.2\.0"):
        look.check(image, "1.2.0", "amd64-usr")


@pytest.mark.parametrize("name", ["flatcar", "coreos"])
def test_the_board(tmp_path: Path, name: str) -> None:
    text = f"{name.upper()}_RELEASE_BOARD=arm64-usr\n"
    image = squashfs(tmp_path, {"lib/os-release": OS_RELEASE, f"share/{name}/release": text})
    assert look.check(image, "1.1.0", "arm64-usr") == ()
    with pytest.raises(InputError, match="board is arm64-usr, not amd64-usr"):
        look.check(image, "1.1.0", "amd64-usr")


def test_what_cannot_be_checked_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "ext4"
    other.write_bytes(b"\0" * 2048)
    assert "it is not a squashfs" in look.check(other, "1.0.0", "b")[0]
    other.write_bytes(b"hsqs" + b"\xff" * 2000)
    assert "were not checked" in look.check(other, "1.0.0", "b")[0]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "unsquashfs is not installed" in look.check(other, "1.0.0", "b")[0]
    with pytest.raises(InputError, match="cannot be read"):
        look.check(tmp_path / "nothing", "1.0.0", "b")
