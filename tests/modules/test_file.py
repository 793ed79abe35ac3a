"""file: every state, twice, in check mode, with hostile names, in three shells."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.modules import registry
from coreops.modules.arguments import parse
from tests.modules.harness import HERE, HOSTILE, ODD, Node


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directory(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "a b" / "c"
    node.settles("file", {"path": str(path), "state": "directory", "mode": "0750"}, lambda: path.is_dir())
    assert mode(path) == 0o750
    path.chmod(0o755)
    node.settles("file", {"path": f"{path}/", "state": "directory", "mode": 0o750}, lambda: mode(path) == 0o750)


@pytest.mark.parametrize("state", [None, "file", "directory"])
def test_symbolic_mode(node: Node, tmp_path: Path, state: str | None) -> None:
    path = tmp_path / "x"
    path.mkdir(mode=0o700) if state == "directory" else path.touch(mode=0o640)
    wanted = 0o755 if state == "directory" else 0o644
    node.settles("file", {"path": str(path), "state": state, "mode": "a+rX,u+w,go-w"}, lambda: mode(path) == wanted)


def test_attributes_of_whatever_is_there(node: Node, tmp_path: Path) -> None:
    node.settles("file", {"path": str(tmp_path), "mode": "0711"}, lambda: mode(tmp_path) == 0o711)
    missing = node.run("file", {"path": f"{tmp_path}/none", "mode": "0711"})
    assert missing.failed
    assert "does not exist" in missing.message


def test_recurse(node: Node, tmp_path: Path) -> None:
    top = tmp_path / "tree"
    (top / "d e").mkdir(parents=True, mode=0o700)
    for name in (*HOSTILE, "run"):
        (top / "d e" / name.replace("/", "")).touch(mode=0o600)
    (top / "d e" / "run").chmod(0o700)
    (top / "out").symlink_to("/etc/passwd")
    before = os.stat("/etc/passwd").st_mode

    def holds() -> bool:
        files = [path for path in (top / "d e").iterdir() if path.name != "run"]
        return mode(top / "d e" / "run") == mode(top / "d e") == 0o755 and all(mode(f) == 0o644 for f in files)

    node.settles("file", {"path": str(top), "recurse": True, "mode": "u=rwX,go=rX", "owner": os.geteuid()}, holds)
    assert os.stat("/etc/passwd").st_mode == before
    bad = node.run("file", {"path": str(top), "recurse": True, "owner": "no-such-user"})
    assert bad.failed


def test_link(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "link"
    node.settles("file", {"path": str(path), "src": "a b", "state": "link"}, lambda: path.is_symlink())
    node.settles("file", {"path": str(path), "src": "$x", "state": "link"}, lambda: os.readlink(path) == "$x")
    path.unlink()
    path.write_text("precious")
    assert node.run("file", {"path": str(path), "src": "x", "state": "link"}).failed
    assert path.read_text() == "precious"
    forced = {"path": str(path), "src": "x", "state": "link", "force": True}
    node.settles("file", forced, lambda: path.is_symlink())


def test_hard_link(node: Node, tmp_path: Path) -> None:
    src, path = tmp_path / "s", tmp_path / "- h"
    src.write_text("1")
    raw = {"path": str(path), "src": str(src), "state": "hard"}
    node.settles("file", raw, lambda: path.exists() and path.samefile(src))
    path.unlink()
    path.write_text("2")
    assert node.run("file", raw).failed
    node.settles("file", {**raw, "force": True}, lambda: path.samefile(src))


def test_touch(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "t"
    raw = {"path": str(path), "state": "touch", "mode": "0600"}
    assert node.run("file", raw, check=True).changed
    assert not path.exists()
    assert node.run("file", raw).changed
    assert mode(path) == 0o600
    os.utime(path, (1, 1))
    assert node.run("file", raw).changed
    assert path.stat().st_mtime > 1
    keep = {**raw, "modification_time": "preserve", "access_time": "preserve"}
    assert not node.run("file", keep).changed
    path.unlink()
    node.settles("file", keep, lambda: path.exists())


def test_absent(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "gone"
    (path / "deep").mkdir(parents=True)
    node.settles("file", {"path": str(path), "state": "absent"}, lambda: not path.exists())


def test_hostile_names(node: Node, tmp_path: Path) -> None:
    for number, name in enumerate(ODD):
        path = tmp_path / str(number) / name
        assert node.run("file", {"path": str(path), "state": "directory"}).changed
        assert path.is_dir()
        for raw in ({"mode": "u=rwx,go="}, {"state": "touch"}, {"recurse": "yes", "mode": "0700"}, {"state": "absent"}):
            result = node.run("file", {"path": str(path), **raw})
            assert not result.failed, result
        assert not path.exists()
        assert [p.name for p in (tmp_path / str(number)).iterdir()] == []


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"path": "/x", "stat": "file"}, "no argument 'stat'"),
        ({"state": "file"}, "needs the argument 'path'"),
        ({"path": "relative", "state": "file"}, "not an absolute path"),
        ({"path": "~/x", "state": "file"}, "home folder"),
        ({"path": "/x", "mode": 644}, "write the mode in quotes: '0644'"),
        ({"path": "/x", "mode": "rwx"}, "not a file mode"),
        ({"path": "/x", "state": "link"}, "needs src"),
        ({"path": "/x", "src": "/y"}, "src is for state link"),
        ({"path": "/", "state": "absent"}, "refusing"),
        ({"path": "//", "state": "absent"}, "refusing"),
        ({"path": "/etc/..", "state": "absent"}, "refusing"),
        ({"path": "/x", "owner": "a b", "state": "file"}, "not a name"),
        ({"path": "/x\0", "state": "file"}, "NUL"),
        ({"path": "/x"}, "nothing to do"),
        ("path=/x stat=file", "no argument 'stat'"),
        ("/x", "takes no free text"),
        (["x"], "neither a mapping nor a text"),
    ],
)
def test_bad_arguments(raw: object, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(registry.get("file"), raw, HERE)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert "play.yml:3:5" in str(caught.value)


def test_diff_tells_attributes(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "d"
    path.mkdir(mode=0o700)
    result = node.run("file", {"path": str(path), "state": "directory", "mode": "0755"}, check=True, diff=True)
    assert result.diff == f"# {path}: mode 0700 -> 0755\n"
