"""FileSteps through the real compiler and three real shells."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coreops.model import Blob, FileStep, ShellStep
from tests.support.shells import EACH_SHELL, run_steps

HOSTILE = "a b'\"$(touch x)`id`\n*?[x]\\ ü-"
shells = pytest.mark.parametrize("shell", EACH_SHELL)


def states(steps, shell, **options):
    program, outcome = run_steps(steps, shell, **options)
    return [record.state for record in program.records.values()], outcome


def tree(folder: Path) -> list[FileStep]:
    return [
        FileStep(id="1", title="folder", path=f"{folder}/x", kind="directory", mode=0o750),
        FileStep(id="2", title="bytes", path=f"{folder}/x/f", kind="file", content=Blob.of(b"\0\n\xff"), mode=0o600),
        FileStep(id="3", title="big", path=f"{folder}/x/{HOSTILE}", kind="file", content=Blob.of(b"x" * 200_001)),
        FileStep(id="4", title="link", path=f"{folder}/x/link", kind="link", target=HOSTILE),
        FileStep(id="5", title="gone", path=f"{folder}/gone", kind="absent"),
        FileStep(id="6", title="empty", path=f"{folder}/x/empty", kind="file", content=Blob.of(b""), mode=0o4755),
        FileStep(id="7", title="dash", path=f"{folder}/x/-n", kind="file", content=Blob.of(b"-n\n"), mode=0o640),
    ]


@shells
def test_first_run_changes_second_run_does_not(shell, tmp_path):
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "file").touch()
    first, outcome = states(tree(tmp_path), shell)
    assert first == ["changed"] * 7
    assert outcome.state == "done"
    assert states(tree(tmp_path), shell)[0] == ["ok"] * 7
    x = tmp_path / "x"
    assert (x / "f").read_bytes() == b"\0\n\xff"
    assert (x / HOSTILE).stat().st_size == 200_001
    assert os.readlink(x / "link") == HOSTILE
    assert sorted(p.name for p in x.iterdir()) == sorted(["f", HOSTILE, "link", "empty", "-n"])
    modes = {p.name: stat.S_IMODE(p.lstat().st_mode) for p in x.iterdir()}
    assert (modes["f"], modes["empty"], modes["-n"], modes[HOSTILE]) == (0o600, 0o4755, 0o640, 0o644)
    assert stat.S_IMODE(x.stat().st_mode) == 0o750


@shells
def test_check_mode_touches_nothing_and_predicts_what_depends_on_earlier_steps(shell, tmp_path):
    found, outcome = states(tree(tmp_path), shell, check=True, diff=True)
    assert found == ["would"] * 4 + ["ok", "would", "would"]
    assert outcome.state == "done"
    assert list(tmp_path.iterdir()) == []


@shells
def test_mode_and_owner_alone_need_no_content(shell, tmp_path):
    states(tree(tmp_path), shell)
    (tmp_path / "x" / "f").chmod(0o644)
    inode = (tmp_path / "x" / "f").stat().st_ino
    assert states(tree(tmp_path), shell)[0] == ["ok", "changed", "ok", "ok", "ok", "ok", "ok"]
    assert (tmp_path / "x" / "f").stat().st_ino == inode


@shells
def test_replacing_keeps_mode_and_owner_when_none_are_given(shell, tmp_path):
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(0o604)
    os.chown(path, 12, 34)
    step = FileStep(id="1", title="t", path=str(path), kind="file", content=Blob.of(b"new"))
    assert states([step], shell)[0] == ["changed"]
    found = path.stat()
    assert (path.read_text(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == ("new", 0o604, 12, 34)


@shells
def test_owner_by_name_and_number(shell, tmp_path):
    path = tmp_path / "f"
    for owner, group, want in (("daemon", None, (1, 0)), ("2", "3", (2, 3)), ("root", "root", (0, 0))):
        content = Blob.of(b"x")
        step = FileStep(
            id="1", title="t", path=str(path), kind="file", content=content, owner=owner, group=group, mode=0o644
        )
        path.unlink(missing_ok=True)
        assert states([step], shell)[0] == ["changed"]
        assert (path.stat().st_uid, path.stat().st_gid) == want
        assert states([step], shell)[0] == ["ok"]
        path.write_text("y")
        assert states([step], shell)[0] == ["changed"]
        assert (path.stat().st_uid, path.stat().st_gid) == want


@shells
def test_a_folder_loses_bits_that_are_not_wanted(shell, tmp_path):
    path = tmp_path / "d"
    path.mkdir()
    path.chmod(0o2755)
    step = FileStep(id="1", title="t", path=str(path), kind="directory", mode=0o755)
    assert states([step], shell)[0] == ["changed"]
    assert states([step], shell)[0] == ["ok"]


@shells
def test_folders_and_files_of_a_row_and_what_breaks_it(shell, tmp_path):
    """One mkdir and one mv serve many; modes, owners and an ignored failure in the middle still count each."""
    content = Blob.of(b"x")
    steps = [
        *(FileStep(id=f"d{n}", title="t", path=f"{tmp_path}/d{n}", kind="directory", mode=0o751) for n in range(4)),
        FileStep(id="e", title="t", path=f"{tmp_path}/d1/e", kind="directory", mode=0o711, owner="daemon"),
        FileStep(id="1", title="t", path=f"{tmp_path}/d1/one", kind="file", content=content, mode=0o640),
        FileStep(id="2", title="t", path=f"{tmp_path}/d1/two", kind="file", content=content, owner="daemon"),
        FileStep(
            id="3", title="t", path=f"{tmp_path}/no/x", kind="file", content=content, mode=0o600, ignore_errors=True
        ),
        FileStep(id="4", title="t", path=f"{tmp_path}/d1/three", kind="file", content=content, mode=0o755),
        FileStep(id="5", title="t", path=f"{tmp_path}/d2/four", kind="file", content=content),
        FileStep(id="6", title="t", path=f"{tmp_path}/d1/five", kind="file", content=content),
    ]
    assert states(steps, shell)[0] == ["changed"] * 7 + ["failed"] + ["changed"] * 3
    assert states(steps, shell)[0] == ["ok"] * 7 + ["failed"] + ["ok"] * 3
    found = {str(p.relative_to(tmp_path)): (stat.S_IMODE(p.stat().st_mode), p.owner()) for p in tmp_path.rglob("*")}
    assert found == {
        **{f"d{n}": (0o751, "root") for n in range(4)},
        "d1/e": (0o711, "daemon"),
        "d1/one": (0o640, "root"),
        "d1/two": (0o644, "daemon"),
        "d1/three": (0o755, "root"),
        "d2/four": (0o644, "root"),
        "d1/five": (0o644, "root"),
    }


@shells
def test_a_folder_that_cannot_be_made(shell, tmp_path):
    (tmp_path / "file").touch()
    steps = [
        FileStep(id=str(n), title=name, path=f"{tmp_path}/{name}", kind="directory")
        for n, name in enumerate(("a", "file/b", "c"))
    ]
    program, outcome = run_steps(steps, shell)
    assert [record.state for record in program.records.values()] == ["changed", "failed"]
    assert program.records["1"].stderr.count(b"Not a directory") == 1
    assert outcome.state == "failed"


@shells
def test_a_folder_of_that_name_that_is_not_ours_is_not_used(shell, tmp_path):
    """Temporary files of root's must not wait where somebody else could swap them."""
    for name in "abc":
        (tmp_path / name).mkdir()
    room = f"{tmp_path}/b/.coreops.$(cut -d ' ' -f 4 /proc/$PPID/stat)"  # the loader's process id
    steps = [
        ShellStep(id="0", title="trap", act=f"mkdir {room}; touch {room}/theirs"),
        *(
            FileStep(
                id=f"{name}{number}",
                title=name,
                path=f"{tmp_path}/{name}/{number}",
                kind="file",
                content=Blob.of(b"x" if number else b"\0"),
                ignore_errors=True,
            )
            for name in "abc"
            for number in (0, 1)
        ),
    ]
    program, _ = run_steps(steps, shell)
    found = {id: record.state for id, record in program.records.items()}
    changed = dict.fromkeys(("0", "a0", "a1", "c0", "c1"), "changed")
    assert found == {**changed, "b0": "failed", "b1": "failed"}
    assert b"File exists" in program.records["b0"].stderr
    assert [path.name for path in (tmp_path / "b").rglob("*") if path.is_file()] == ["theirs"]
    assert sorted(path.name for path in tmp_path.glob("[ac]/*")) == ["0", "0", "1", "1"]


@shells
def test_diff_reports_old_content_but_not_of_secrets(shell, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old \xff\n")
    step = FileStep(id="1", title="t", path=str(path), kind="file", content=Blob.of(b"new"))
    program, _ = run_steps([step], shell, check=True, diff=True)
    assert program.records["1"].before.endswith(b":Groot\nold \xff\n")
    secret = FileStep(id="1", title="t", path=str(path), kind="file", content=Blob.of(b"new"), secret=True)
    program, _ = run_steps([secret], shell, diff=True)
    assert b"old" not in program.records["1"].before
    assert path.read_bytes() == b"new"


@shells
@pytest.mark.parametrize(
    ("make", "kind", "why"),
    [
        (lambda p: p.mkdir(), "file", "is not a regular file"),
        (lambda p: p.touch(), "directory", "is not a directory"),
        (lambda p: (p / "x").mkdir(parents=True), "link", "is a directory"),
    ],
)
def test_what_is_in_the_way_is_said_and_left(shell, make, kind, why, tmp_path):
    path = tmp_path / "p"
    make(path)
    content = Blob.of(b"1") if kind == "file" else None
    first = FileStep(id="0", title="before", path=f"{tmp_path}/q", kind="file", content=Blob.of(b"q"))
    step = FileStep(id="1", title="t", path=str(path), kind=kind, content=content, target="t")
    last = FileStep(id="2", title="after", path=f"{tmp_path}/r", kind="file", content=Blob.of(b"r"))
    program, outcome = run_steps([first, step, last], shell)
    assert [record.state for record in program.records.values()] == ["changed", "failed"]
    assert outcome.state == "failed"
    assert why in str(outcome.error)
    assert not (tmp_path / "r").exists()
    assert not list(tmp_path.glob(".coreops*"))


@shells
def test_missing_folder_fails_and_later_content_is_drained(shell, tmp_path):
    steps = [
        FileStep(id="1", title="a", path=f"{tmp_path}/a", kind="file", content=Blob.of(b"a" * 70_000)),
        FileStep(id="2", title="b", path=f"{tmp_path}/no/b", kind="file", content=Blob.of(b"b" * 70_000)),
        FileStep(id="3", title="c", path=f"{tmp_path}/c", kind="file", content=Blob.of(b"c" * 70_000)),
    ]
    found, outcome = states(steps, shell)
    assert found == ["changed", "failed"]
    assert "folder does not exist" in str(outcome.error)
    ignored = [
        FileStep(id="2", title="b", path=f"{tmp_path}/no/b", kind="file", content=Blob.of(b"b"), ignore_errors=True)
    ]
    assert states([*ignored, steps[2]], shell)[0] == ["failed", "changed"]


@shells
def test_steps_that_touch_each_other_are_probed_apart(shell, tmp_path):
    steps = [
        FileStep(id="1", title="t", path=f"{tmp_path}/d", kind="directory"),
        FileStep(id="2", title="t", path=f"{tmp_path}/d/f", kind="file", content=Blob.of(b"1")),
        FileStep(id="3", title="t", path=f"{tmp_path}/d/f", kind="file", content=Blob.of(b"2")),
        FileStep(id="4", title="t", path=f"{tmp_path}/d", kind="absent"),
        FileStep(id="5", title="t", path=f"{tmp_path}/d/f", kind="absent"),
    ]
    assert states(steps, shell)[0] == ["changed", "changed", "changed", "changed", "ok"]


@shells
def test_force_and_follow(shell, tmp_path):
    real = tmp_path / "real"
    real.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to("real")
    keep = FileStep(id="1", title="t", path=str(real), kind="file", content=Blob.of(b"x"), force=False)
    assert states([keep], shell)[0] == ["ok"]
    follow = FileStep(id="1", title="t", path=str(link), kind="file", content=Blob.of(b"x"), follow=True)
    assert states([follow], shell)[0] == ["changed"]
    assert link.is_symlink()
    assert real.read_text() == "x"
    replace = FileStep(id="1", title="t", path=str(link), kind="file", content=Blob.of(b"y"))
    assert states([replace], shell)[0] == ["changed"]
    assert not link.is_symlink()
    assert real.read_text() == "x"


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=30).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(names, st.tuples(st.binary(max_size=200), st.sampled_from([0o600, 0o644, 0o755])), max_size=8)
)
@shells
def test_any_name_and_content(shell, files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    steps = [
        FileStep(id=str(n), title=name, path=f"{folder}/{name}", kind="file", content=Blob.of(data), mode=mode)
        for n, (name, (data, mode)) in enumerate(files.items())
    ]
    assert set(states(steps, shell)[0]) <= {"changed"}
    assert set(states(steps, shell)[0]) <= {"ok"}
    assert {name: (folder / name).read_bytes() for name in files} == {name: data for name, (data, _) in files.items()}
    assert len(list(folder.iterdir())) == len(files)
