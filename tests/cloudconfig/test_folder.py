"""A folder holds one render, whole; nothing else is ever replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.cloudconfig.folder import copy_templates, diff, last, write
from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.render import INDEX, NodeFile, Render
from coreops.errors import InputError


def files(**nodes: bytes) -> dict[str, bytes]:
    made = tuple(NodeFile(name, "worker", data, False, (Loss("a", "b"),)) for name, data in nodes.items())
    return Render("coreos", None, made).files()


def test_a_render_replaces_the_last_one(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "out"
    assert last(folder) == {}
    write(folder, files(n1=b"1", n2=b"2"))
    write(folder, files(n1=b"3"))
    assert last(folder) == files(n1=b"3")
    assert sorted(path.name for path in folder.iterdir()) == [INDEX, "n1.yaml"]
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    assert (folder / "n1.yaml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("strange", ["notes.txt", "n9.yaml"])
def test_what_no_render_wrote_is_left(tmp_path: Path, strange: str) -> None:
    (tmp_path / strange).write_text("mine")
    with pytest.raises(InputError, match="not a render"):
        write(tmp_path, files(n1=b"1"))
    (tmp_path / strange).unlink()
    write(tmp_path, files(n1=b"1"))
    (tmp_path / strange).write_text("mine")
    with pytest.raises(InputError, match="what no render wrote"):
        write(tmp_path, files(n1=b"1"))
    assert (tmp_path / strange).read_text() == "mine"


def test_a_file_or_a_link_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("file", "link"):
        with pytest.raises(InputError, match="not a folder"):
            write(tmp_path / name, files())


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_failure_leaves_the_last_render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    folder = tmp_path / "out"
    write(folder, files(n1=b"1"))
    calls = []

    def full(path: Path, data: bytes) -> None:
        calls.append(path)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr("coreops.cloudconfig.folder._write", full)
    with pytest.raises(InputError, match="No space"):
        write(folder, files(n1=b"2", n2=b"2"))
    assert last(folder) == files(n1=b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_name_is_never_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller that is killed between two renames would leave no render at all."""
    write(tmp_path / "out", files(n1=b"1"))
    monkeypatch.setattr("os.rename", lambda *_: pytest.fail("renamed"))
    write(tmp_path / "out", files(n1=b"2"))
    assert last(tmp_path / "out") == files(n1=b"2")


def test_file_systems_without_an_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coreops.cloudconfig.folder._exchange", lambda *_: False)
    for body in (b"1", b"2"):
        write(tmp_path / "out", files(n1=body))
        assert last(tmp_path / "out") == files(n1=body)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_diff() -> None:
    lines = list(diff(files(n1=b"a\nb\n", n2=b"x\n"), files(n1=b"a\nc\n", n3=b"y\n")))
    assert lines[:2] == ["--- last/n1.yaml", "+++ new/n1.yaml"]
    assert "-b" in lines
    assert "+c" in lines
    assert "+++ /dev/null" in lines
    assert list(diff(files(n1=b"a"), files(n1=b"a"))) == []


@pytest.mark.parametrize(
    ("node", "name"), [("n1", "n1.yaml"), ("../x", "%2E.%2Fx.yaml"), ("a b", "a%20b.yaml"), ("é", "%C3%A9.yaml")]
)
def test_names(node: str, name: str) -> None:
    assert NodeFile(node, "worker", b"", False, ()).name == name


def test_templates_are_copied_once(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.yml").write_text("a")
    assert copy_templates(source, tmp_path / "to") == [tmp_path / "to" / "a.yml"]
    with pytest.raises(InputError, match="there already"):
        copy_templates(source, tmp_path / "to")
