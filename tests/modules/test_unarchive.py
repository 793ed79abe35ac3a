"""unarchive: all of it or nothing, again only when something is missing; formats; hostile names."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.modules import registry
from coreops.modules.arguments import parse
from tests.modules.harness import HERE, HOSTILE, Node, steps_of


def make_tar(path: Path, mode: str = "w:gz", names: tuple[str, ...] = HOSTILE) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        top = tarfile.TarInfo("top-1.0")
        top.type, top.mode, top.mtime = tarfile.DIRTYPE, 0o755, 1_600_000_000
        archive.addfile(top)
        for name in (*names, "sub/run"):
            info = tarfile.TarInfo(f"top-1.0/{name}")
            info.size, info.mtime = len(name.encode()), 1_600_000_000
            info.mode = 0o755 if name == "sub/run" else 0o640
            archive.addfile(info, io.BytesIO(name.encode()))
        link = tarfile.TarInfo("top-1.0/link")
        link.type, link.linkname = tarfile.SYMTYPE, "a b"
        archive.addfile(link)
        hard = tarfile.TarInfo("top-1.0/hard")
        hard.type, hard.linkname = tarfile.LNKTYPE, f"top-1.0/{names[0]}"
        archive.addfile(hard)
    return path


def unpacked(top: Path, names: tuple[str, ...] = HOSTILE) -> bool:
    return (
        all((top / name).exists() and (top / name).read_text() == name for name in (*names, "sub/run"))
        and os.readlink(top / "link") == "a b"
        and (top / "hard").samefile(top / names[0])
    )


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_formats(node: Node, tmp_path: Path, mode: str) -> None:
    make_tar(node.base / "a.tar", mode, ("a b", "c"))
    dest = tmp_path / "opt x"
    raw = {"src": "a.tar", "dest": str(dest)}
    node.settles("unarchive", raw, lambda: dest.exists() and unpacked(dest / "top-1.0", ("a b", "c")))
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("base", "opt x")] == []


def test_over_what_is_there(node: Node, tmp_path: Path) -> None:
    make_tar(node.base / "a.tgz")
    dest = tmp_path / "d"
    (dest / "sub").mkdir(parents=True)
    (dest / "mine").write_text("kept")
    (dest / "sub" / "run").write_text("old")
    raw = {"src": "a.tgz", "dest": f"{dest}/", "extra_opts": ["--strip-components=1"], "mode": "u=rwX,go=rX"}
    node.settles("unarchive", raw, lambda: unpacked(dest) if (dest / "link").is_symlink() else False)
    assert (dest / "mine").read_text() == "kept"
    assert stat.S_IMODE((dest / "a b").stat().st_mode) == 0o644
    assert stat.S_IMODE((dest / "sub" / "run").stat().st_mode) == 0o755
    assert not list(dest.glob(".coreops*"))
    for damage in (lambda: (dest / "a b").write_text("longer than"), lambda: (dest / "link").unlink()):
        damage()
        assert node.run("unarchive", raw).changed
        assert unpacked(dest)


def test_on_the_node(node: Node, tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "-a b.tar.xz", "w:xz", ("a b", "c"))
    dest = tmp_path / "d"
    raw = {"src": str(archive), "dest": str(dest), "remote_src": True}
    node.settles("unarchive", raw, lambda: dest.exists() and unpacked(dest / "top-1.0", ("a b", "c")))
    (dest / "top-1.0" / "c").unlink()
    assert node.run("unarchive", raw).changed
    missing = node.run("unarchive", {**raw, "src": "/none.tar"})
    assert missing.failed
    assert "does not exist on the node" in missing.message


def test_zip(node: Node, tmp_path: Path) -> None:
    with zipfile.ZipFile(node.base / "z.zip", "w") as archive:
        for name in ("d/a b", "d/q'x"):
            archive.writestr(name, name)
    for remote in (False, True):
        dest = tmp_path / f"d{remote}"
        raw = {"src": str(node.base / "z.zip") if remote else "z.zip", "dest": str(dest), "remote_src": remote}
        node.settles("unarchive", raw, lambda dest=dest: (dest / "d" / "q'x").exists())


def test_damaged_archive_leaves_all_as_it_was(node: Node, tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tgz")
    archive.write_bytes(archive.read_bytes()[:-40])
    dest = tmp_path / "d"
    raw = {"src": str(archive), "dest": str(dest), "remote_src": True, "creates": "/nowhere"}
    result = node.run("unarchive", raw)
    assert result.failed
    assert "as it was" in result.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz", "base"]


def test_creates_include_exclude_and_running_programs(node: Node, tmp_path: Path) -> None:
    make_tar(node.base / "a.tgz", names=("a b", "c"))
    dest = tmp_path / "d"
    only = {"src": "a.tgz", "dest": str(dest), "include": ["top-1.0/c"]}
    node.settles("unarchive", only, lambda: (dest / "top-1.0" / "c").exists())
    assert not (dest / "top-1.0" / "sub").exists()
    if node.shell == "busybox":  # its tar has no --exclude
        return
    rest = {"src": "a.tgz", "dest": str(dest), "exclude": ["top-1.0/hard", "top-1.0/sub"], "list_files": True}
    result = node.settles("unarchive", rest, lambda: (dest / "top-1.0" / "link").is_symlink())
    assert "top-1.0/sub/run" in result.data["files"]
    assert not (dest / "top-1.0" / "sub").exists()
    assert not node.run("unarchive", {"src": "a.tgz", "dest": str(dest), "creates": f"{dest}/top*/c"}).changed
    # A program that runs can be replaced.
    program = dest / "top-1.0" / "c"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    process = subprocess.Popen([program, "30"])
    try:
        assert node.run("unarchive", only).changed
        assert program.read_text() == "c"
    finally:
        process.kill()
        process.wait()


def test_members_outside_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("../evil"))
    with pytest.raises(InputError, match="outside of dest") as caught:
        steps_of("unarchive", {"src": "a.tar", "dest": "/d"}, tmp_path)
    assert "play.yml:3:5" in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"src": "https://x/y.tgz", "dest": "/d"}, "get_url"),
        ({"src": "a.tgz", "dest": "/"}, "refusing"),
        ({"src": "a.tgz", "dest": "/d", "remote_src": True}, "absolute"),
        ({"src": "a.tgz", "dest": "/d", "include": "a", "exclude": "b"}, "one of them"),
    ],
)
def test_bad_arguments(raw: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(registry.get("unarchive"), raw, HERE)
    assert says in str(caught.value)


def test_what_cannot_be_compared_needs_creates(tmp_path: Path) -> None:
    make_tar(tmp_path / "a.tgz")
    raw = {"src": "a.tgz", "dest": "/d", "extra_opts": "--transform=s/a/b/"}
    with pytest.raises(InputError, match="nobody can tell"):
        steps_of("unarchive", raw, tmp_path)
    assert steps_of("unarchive", {**raw, "creates": "/d/b"}, tmp_path)
    make_tar(tmp_path / "many.tgz", names=tuple(f"{number:060}" for number in range(1500)))
    with pytest.raises(InputError, match="too many files"):
        steps_of("unarchive", {"src": "many.tgz", "dest": "/d"}, tmp_path)
    (tmp_path / "text.tgz").write_text("this is not an archive at all")
    with pytest.raises(InputError, match="not a tar or zip"):
        steps_of("unarchive", {"src": "text.tgz", "dest": "/d"}, tmp_path)
