"""lineinfile does what Ansible's does, through three shells; an oracle in Python says what that is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.modules import registry
from coreops.modules.arguments import parse
from tests.modules.harness import HERE, HOSTILE, Node

START = "one\ntwo\n#x=1\nthree\n"


def run(node: Node, path: Path, raw: dict[str, object]) -> str:
    """Settled by one run; returns the content."""
    raw = {"path": str(path), **raw}
    before = path.read_bytes() if path.exists() else None
    would = node.run("lineinfile", raw, check=True)
    assert (path.read_bytes() if path.exists() else None) == before
    result = node.run("lineinfile", raw)
    assert (result.failed, would.failed) == (False, False), (result, would)
    now = path.read_bytes() if path.exists() else None
    assert result.changed == would.changed == (now != before)
    assert not node.run("lineinfile", raw).changed or "insertafter" in raw or "insertbefore" in raw
    return path.read_text()


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ({"line": "two"}, START),
        ({"line": "four"}, START + "four\n"),
        ({"line": "x=2", "regexp": "^#?x="}, "one\ntwo\nx=2\nthree\n"),
        ({"line": "x=2", "regexp": "^y="}, START + "x=2\n"),
        ({"line": "T", "regexp": "(?i)t"}, "one\ntwo\n#x=1\nT\n"),
        ({"line": "T", "regexp": "(?i)t", "firstmatch": True}, "one\nT\n#x=1\nthree\n"),
        ({"line": "new", "insertafter": "^t"}, START + "new\n"),
        ({"line": "new", "insertafter": "^t", "firstmatch": True}, "one\ntwo\nnew\n#x=1\nthree\n"),
        ({"line": "new", "insertbefore": "^t"}, "one\ntwo\n#x=1\nnew\nthree\n"),
        ({"line": "new", "insertbefore": "BOF"}, "new\n" + START),
        ({"line": "new", "insertafter": "EOF"}, START + "new\n"),
        ({"line": "new", "insertafter": "nothing"}, START + "new\n"),
        ({"line": r"y=\1", "regexp": r"^#x=(\d)$", "backrefs": True}, "one\ntwo\ny=1\nthree\n"),
        ({"line": r"y=\1", "regexp": r"z(\d)", "backrefs": True}, START),
        ({"line": "x=11", "search_string": "x=1"}, "one\ntwo\nx=11\nthree\n"),
        ({"state": "absent", "regexp": "^t"}, "one\n#x=1\n"),
        ({"state": "absent", "line": "one"}, "two\n#x=1\nthree\n"),
        ({"state": "absent", "search_string": "e"}, "two\n#x=1\n"),
        ({"state": "absent", "line": "thre"}, START),
    ],
)
def test_as_ansible(node: Node, tmp_path: Path, raw: dict[str, object], wanted: str) -> None:
    path = tmp_path / "f"
    path.write_text(START)
    path.chmod(0o640)
    assert run(node, path, raw) == wanted
    assert path.stat().st_mode & 0o777 == 0o640


def test_missing_file_links_and_open_ends(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "d" / "f"
    assert node.run("lineinfile", {"path": str(path), "line": "a"}).failed
    assert not node.run("lineinfile", {"path": str(path), "line": "a", "state": "absent"}).changed
    assert run(node, path, {"line": "a", "create": True, "mode": "0600"}) == "a\n"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("x\ny")
    assert run(node, path, {"line": "z"}) == "x\ny\nz\n"
    path.write_text("x\ny")
    assert run(node, path, {"line": "X", "regexp": "x"}) == "X\ny"
    link = tmp_path / "link"
    link.symlink_to(path)
    run(node, link, {"line": "through"})
    assert link.is_symlink()
    assert path.read_text() == "X\ny\nthrough\n"
    path.write_bytes(b"a\0b\n")
    refused = node.run("lineinfile", {"path": str(path), "line": "z"})
    assert refused.failed
    assert "NUL" in refused.message


def test_backup_validate_and_diff(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a\n")
    raw = {"path": str(path), "line": "b", "backup": True, "validate": "grep -q b %s"}
    shown = node.run("lineinfile", raw, check=True, diff=True)
    assert shown.diff.endswith("+b\n")
    assert shown.message == "line added"
    result = node.run("lineinfile", raw)
    assert Path(result.data["backup_file"]).read_text() == "a\n"
    assert node.run("lineinfile", {**raw, "line": "c", "validate": "grep -q nothing %s"}).failed
    assert path.read_text() == "a\nb\n"


@pytest.mark.slow
def test_hostile_lines(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("")
    lines = [line for line in (*HOSTILE, "\\1 & /", "0x10", "16", "1e1", "-n", "") if "\n" not in line]
    for line in lines:
        result = node.run("lineinfile", {"path": str(path), "line": line})
        assert not result.failed, result
    assert path.read_text().splitlines(keepends=False) == lines or path.read_text() == "".join(f"{x}\n" for x in lines)
    for line in lines:
        raw = {"path": str(path), "regexp": f"^{re.escape(line)}$", "line": f"<{line}>"}
        assert node.run("lineinfile", raw).changed, line
    assert path.read_text() == "".join(f"<{line}>\n" for line in lines)


def oracle(text: str, pattern: str, line: str, after: str | None) -> str:
    """What Ansible's module does, for text that ends with a newline."""
    lines = text.splitlines()
    found = [number for number, one in enumerate(lines) if re.search(pattern, one)]
    if found:
        lines[found[-1]] = line
        return "".join(f"{one}\n" for one in lines)
    same = [number for number, one in enumerate(lines) if one == line]
    if same:
        return text
    near = [number for number, one in enumerate(lines) if after is not None and re.search(after, one)]
    lines.insert(near[-1] + 1 if near else len(lines), line)
    return "".join(f"{one}\n" for one in lines)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text(st.sampled_from("ab= "), max_size=4), max_size=6),
    st.sampled_from(["a", "^b", "=$", "[ab]{2}", "^$"]),
    st.text(st.sampled_from("ab= "), max_size=4),
    st.sampled_from([None, "a$", "b"]),
)
def test_against_the_oracle(tmp_path: Path, lines: list[str], pattern: str, line: str, after: str | None) -> None:
    node = Node("dash", tmp_path)
    path = tmp_path / "f"
    text = "".join(f"{one}\n" for one in lines)
    path.write_text(text)
    raw = {"path": str(path), "regexp": pattern, "line": line, **({"insertafter": after} if after else {})}
    assert not node.run("lineinfile", raw).failed
    assert path.read_text() == oracle(text, pattern, line, after)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"line": "a\nb"}, "is one line"),
        ({}, "needs line"),
        ({"state": "absent"}, "needs line, regexp"),
        ({"line": "a", "regexp": "(?=x)"}, "look-ahead"),
        ({"line": "a", "regexp": "a", "search_string": "b"}, "one of them"),
        ({"line": "a", "insertafter": "a", "insertbefore": "b"}, "one of them"),
        ({"line": "a", "backrefs": True}, "needs regexp"),
        ({"line": r"\2", "regexp": "(a)", "backrefs": True}, "no group 2"),
        ({"line": "a", "state": "gone"}, "state"),
    ],
)
def test_bad_arguments(raw: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(registry.get("lineinfile"), {"path": "/x", **raw}, HERE)
    assert says in str(caught.value)
