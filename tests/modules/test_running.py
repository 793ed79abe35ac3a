"""command, shell and script: the words arrive as they are; creates, removes, stdin; results in Ansible's keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.modules import registry
from coreops.modules.arguments import parse
from tests.modules.harness import HERE, HOSTILE, ODD, Node


def test_words_arrive_unchanged(node: Node) -> None:
    words = [*HOSTILE, "", "a=b", "--", "$UNSET_VARIABLE", "${UNSET}"]
    result = node.run("command", {"argv": ["printf", "<%s>\\n", *words]})
    assert result.data["stdout"] == "\n".join(f"<{word}>" for word in words)
    assert result.changed
    assert result.data["rc"] == 0


def test_random_words(node: Node) -> None:
    @settings(max_examples=5, deadline=None)
    @given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0$"), max_size=20), max_size=40))
    def check(words: list[str]) -> None:
        result = node.run("command", {"argv": ["printf", "%s|", *words, "end"], "strip_empty_ends": False})
        assert result.data["stdout"] == "|".join([*words, "end"]) + "|"

    check()


def test_a_program_not_a_builtin_and_variables_of_the_node(node: Node) -> None:
    assert node.run("command", "printf '%s %s' a\\\\b '$HOME/x ${HOME}'").data["stdout"].startswith("a\\b /")
    raw = {"cmd": "echo $HOME", "expand_argument_vars": False}
    assert node.run("command", raw).data["stdout"] == "$HOME"


def test_free_form_options(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "made it"
    line = f"touch '{path}' creates='{path}' chdir={tmp_path}"
    result = node.settles("command", line, lambda: path.exists())
    assert result.data["cmd"] == ["touch", str(path)]
    skipped = node.run("command", line)
    assert skipped.data["stdout"] == f"skipped, since {path} exists"
    assert node.run("shell", "echo 'a creates=/tmp b'").data["stdout"] == "a creates=/tmp b"


def test_creates_takes_patterns_and_hostile_names(node: Node, tmp_path: Path) -> None:
    for name in ODD:
        (tmp_path / "there").mkdir(exist_ok=True)
        (tmp_path / "there" / name).touch()
        assert not node.run("command", {"cmd": "false", "creates": f"{tmp_path}/there/{name}"}).changed
    raw = {"cmd": "true", "creates": "no*", "removes": "ther?", "chdir": str(tmp_path)}
    assert node.run("command", raw).changed
    assert not node.run("command", {**raw, "creates": "th*"}).changed
    assert not node.run("command", {**raw, "removes": "none"}).changed


def test_check_mode_does_not_run(node: Node, tmp_path: Path) -> None:
    result = node.run("shell", f"touch {tmp_path}/x", check=True)
    assert (result.skipped, result.changed) == (True, False)
    assert not (tmp_path / "x").exists()


def test_stdin_failure_and_bytes(node: Node) -> None:
    assert node.run("command", {"cmd": "cat", "stdin": "$(id)"}).data["stdout"] == "$(id)"
    raw = {"cmd": "cat; exit 3", "stdin": "x", "stdin_add_newline": False, "executable": "/bin/sh"}
    result = node.run("shell", raw)
    assert (result.failed, result.data["rc"], result.data["stdout"]) == (True, 3, "x")
    assert result.data["msg"] == "non-zero return code"
    odd = node.run("shell", "printf '\\377a\\n\\nb\\n\\n'; echo oops >&2").data
    assert (odd["stdout"], odd["stdout_lines"], odd["stderr"]) == ("\\xffa\n\nb", ["\\xffa", "", "b"], "oops")
    missing = node.run("command", "no-such-program")
    assert missing.failed
    assert missing.data["rc"] == 127


def test_shell(node: Node, tmp_path: Path) -> None:
    result = node.run("shell", {"cmd": "pwd | tr a-z A-Z; echo $X", "chdir": "/usr"}, env={"X": "a b'"})
    assert result.data["stdout"] == "/USR\na b'"
    assert node.run("shell", {"cmd": "echo ${BASH_VERSION:+yes}", "executable": "/bin/bash"}).data["stdout"] == "yes"


@pytest.mark.parametrize(("head", "says"), [("#!/bin/bash -e\n", "yes"), ("", ""), ("#!/usr/bin/env bash\n", "yes")])
def test_script(node: Node, head: str, says: str) -> None:
    (node.base / "files").mkdir()
    (node.base / "files" / "my script").write_text(head + 'echo "${BASH_VERSION:+yes}"; printf "<%s>" "$@"\n')
    result = node.run("script", "'my script' a\\ b '$(id)' \"q'\"")
    assert result.data["stdout"] in (f"{says}\n<a b><$(id)><q'>", "yes\n<a b><$(id)><q'>")
    if head:
        assert result.data["stdout"].startswith("yes")
    chosen = node.run("script", {"cmd": "'my script'", "executable": "/bin/bash"})
    assert chosen.data["stdout"].startswith("yes")


def test_a_binary_as_script(node: Node) -> None:
    (node.base / "prog").write_bytes(Path("/usr/bin/printf").read_bytes())
    assert node.run("script", "prog %s- a 'b c'").data["stdout"] == "a-b c-"


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("command", {}, "cmd or argv"),
        ("command", {"cmd": "a", "argv": ["a"]}, "cmd or argv"),
        ("command", "", "no command"),
        ("command", "'open", "quotation"),
        ("command", "-x", "is an option"),
        ("command", {"argv": ["a\0"]}, "NUL"),
        ("command", {"cmd": "a", "chdir": "x"}, "absolute"),
        ("command", {"cmd": "a", "free_form": "b"}, "twice"),
        ("shell", {}, "needs the argument 'cmd'"),
        ("script", " ", "no script"),
    ],
)
def test_bad_arguments(name: str, raw: object, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(registry.get(name), raw, HERE)  # type: ignore[arg-type]
    assert says in str(caught.value)
