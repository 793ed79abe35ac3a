"""copy and template: content arrives as it is, once, with its attributes."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.model import FileStep
from coreops.modules import registry
from coreops.modules.arguments import parse
from tests.modules.harness import HERE, HOSTILE, ODD, Node, steps_of


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_content(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "f"
    result = node.settles("copy", {"content": "a\n", "dest": str(path), "mode": "0600"}, lambda: path.exists())
    assert result.data["checksum"] == hashlib.sha1(b"a\n").hexdigest()
    assert (path.read_text(), mode(path)) == ("a\n", 0o600)
    once = {"content": "b", "dest": str(path), "force": False}
    assert not node.run("copy", once).changed
    assert path.read_text() == "a\n"


def test_a_file_goes_into_a_folder(node: Node, tmp_path: Path) -> None:
    (node.base / "files").mkdir()
    (node.base / "files" / "q'x y").write_bytes(b"\0\xff")
    (node.base / "files" / "q'x y").chmod(0o751)
    dest = tmp_path / "new folder"
    raw = {"src": "q'x y", "dest": f"{dest}/", "mode": "preserve"}
    node.settles("copy", raw, lambda: (dest / "q'x y").exists())
    assert (dest / "q'x y").read_bytes() == b"\0\xff"
    assert mode(dest / "q'x y") == 0o751


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder(node: Node, tmp_path: Path, slash: str) -> None:
    source = node.base / "files" / "tree"
    (source / "sub" / "empty").mkdir(parents=True)
    for name in HOSTILE:
        (source / "sub" / name).write_text(name)
    (source / "link").symlink_to("sub/a b")
    dest = tmp_path / "d"
    top = dest if slash else dest / "tree"
    raw = {"src": f"tree{slash}", "dest": str(dest), "directory_mode": "0750", "local_follow": "no"}
    node.settles("copy", raw, lambda: (top / "sub" / "empty").is_dir())
    assert sorted(path.name for path in (top / "sub").iterdir()) == sorted([*HOSTILE, "empty"])
    assert all((top / "sub" / name).read_text() == name for name in HOSTILE)
    assert (top / "link").is_symlink()
    assert mode(top / "sub") == 0o750


def test_backup_validate_and_symbolic_mode(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "a b"
    raw = {
        "content": "good\n",
        "dest": str(path),
        "backup": True,
        "validate": "grep -q 'good' %s",
        "mode": "u=rw,go=",
    }
    node.settles("copy", raw, lambda: path.exists())
    assert mode(path) == 0o600
    path.write_text("old")
    result = node.run("copy", raw)
    assert Path(result.data["backup_file"]).read_text() == "old"
    bad = node.run("copy", {**raw, "content": "evil"})
    assert bad.failed
    assert "validation" in bad.message
    assert path.read_text() == "good\n"
    assert len(list(tmp_path.iterdir())) == 3  # base, the file, the backup


def test_from_the_node_itself(node: Node, tmp_path: Path) -> None:
    source, dest = tmp_path / "s", tmp_path / "d"
    source.mkdir()
    for name in HOSTILE:
        (source / name).write_text(name)
    (source / "sub").mkdir()
    (source / "sub" / ".hidden").symlink_to("nowhere")
    raw = {"src": f"{source}/", "dest": str(dest), "remote_src": True}
    node.settles("copy", raw, lambda: dest.is_dir())
    assert all((dest / name).read_text() == name for name in HOSTILE)
    assert (dest / "sub" / ".hidden").is_symlink()
    one = {"src": f"{source}/a b", "dest": f"{tmp_path}/x/", "remote_src": True, "mode": "0640"}
    node.settles("copy", one, lambda: (tmp_path / "x" / "a b").exists())
    assert mode(tmp_path / "x" / "a b") == 0o640
    assert node.run("copy", {"src": "/none", "dest": "/tmp/x", "remote_src": True}).failed


def test_hostile_names_and_content(node: Node, tmp_path: Path) -> None:
    for name in ODD:
        for raw in ({}, {"backup": True}):
            path = tmp_path / f"x{len(raw)}" / name
            path.parent.mkdir(exist_ok=True)
            assert node.run("copy", {"content": name, "dest": str(path), **raw}).changed
            assert path.read_text() == name


def test_diff(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("one\ntwo\n")
    result = node.run("copy", {"content": "one\n2\n", "dest": str(path)}, check=True, diff=True)
    assert result.diff == f"--- {path} (before)\n+++ {path} (after)\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"


def test_template(node: Node, tmp_path: Path) -> None:
    (node.base / "templates").mkdir()
    (node.base / "templates" / "x.conf.j2").write_text("name={{ name }}\n\n")
    raw = {"src": "x.conf.j2", "dest": f"{tmp_path}/", "newline_sequence": "\\r\\n", "mode": "0644"}
    path = tmp_path / "x.conf"
    node.settles("template", raw, lambda: path.exists(), vars={"name": "$(id) é"})
    assert path.read_bytes() == "name=$(id) é\r\n\r\n".encode()


def test_template_keeps_final_newlines(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("x\n\n")
    (step,) = steps_of("template", {"src": "t", "dest": "/d"}, tmp_path, template=lambda text, _: text.rstrip("\n"))
    assert isinstance(step, FileStep)
    assert step.content is not None
    assert step.content.data == b"x\n\n"


def test_checksum_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    for algorithm in ("sha1", "sha256"):
        assert steps_of(
            "copy", {"src": "f", "dest": "/d", "checksum": hashlib.new(algorithm, b"x").hexdigest()}, tmp_path
        )
    with pytest.raises(InputError, match="checksum"):
        steps_of("copy", {"src": "f", "dest": "/d", "checksum": "0" * 64}, tmp_path)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"dest": "/x"}, "src or content"),
        ({"dest": "/x", "src": "a", "content": "b"}, "src or content"),
        ({"dest": "/x/", "content": "b"}, "name of a file"),
        ({"dest": "/x", "content": "b", "validate": "true"}, "must hold %s"),
        ({"dest": "/x", "content": "b", "validate": "sh -c '%s"}, "quotation"),
        ({"dest": "/x", "src": "b", "remote_src": True}, "absolute path on the node"),
        ({"dest": "/x", "contents": "b"}, "did you mean 'content'?"),
    ],
)
def test_bad_arguments(raw: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(registry.get("copy"), raw, HERE)
    assert says in str(caught.value)
