"""Free-form arguments, tags, and the text of template files."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.playbook.freeform import command, pairs, split_words
from coreops.playbook.tags import selected
from tests.playbook.driver import run


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a=1 b=two", {"a": "1", "b": "two"}),
        ("a='x y' b=\"q=1\"", {"a": "x y", "b": "q=1"}),
        ("a={{ x | default('y z') }} b={{q}}{{r}}", {"a": "{{ x | default('y z') }}", "b": "{{q}}{{r}}"}),
        ("a=", {"a": ""}),
        ('a="say \\"hi\\""', {"a": 'say "hi"'}),
    ],
)
def test_pairs(text: str, wanted: dict[str, str]) -> None:
    assert pairs(text) == wanted


def test_command_options() -> None:
    assert command("echo  a=b  c") == ("echo  a=b  c", {})
    assert command("touch /x creates=/x chdir='/a b'") == ("touch /x", {"creates": "/x", "chdir": "/a b"})


@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda text: "\0" not in text), max_size=5))
def test_split_keeps_every_word(words: list[str]) -> None:
    quoted = [shlex.quote(word) for word in words]
    if any("{" in word or "\\" in word for word in words):
        return
    assert [shlex.split(word)[0] for word in split_words(" ".join(quoted))] == words


@given(st.text(max_size=40))
def test_split_never_crashes(text: str) -> None:
    with suppress(ValueError):
        split_words(text)


@pytest.mark.parametrize(
    ("tags", "only", "skip", "wanted"),
    [
        ("", "", "", True),
        ("a", "a", "", True),
        ("a", "b", "", False),
        ("", "a", "", False),
        ("always", "b", "", True),
        ("always", "b", "always", False),
        ("never", "", "", False),
        ("never,a", "a", "", True),
        ("never", "never", "", True),
        ("a", "tagged", "", True),
        ("", "tagged", "", False),
        ("", "untagged", "", True),
        ("a", "untagged", "", False),
        ("a", "", "a", False),
        ("b", "", "a", True),
        ("a", "all", "tagged", False),
    ],
)
def test_tags(tags: str, only: str, skip: str, wanted: bool) -> None:
    def words(text: str) -> frozenset[str]:
        return frozenset(text.split(",")) - {""}

    assert selected(words(tags), words(only), words(skip)) is wanted


def test_tags_keep_step_ids(tmp_path: Path) -> None:
    playbook = "- hosts: n1\n  tasks:\n    - command: one\n    - {command: two, tags: t}\n"
    assert run(tmp_path, playbook, tags=["t"]).ids() == [["p0.t1"]]
    assert run(tmp_path, playbook, skip_tags=["t"]).ids() == [["p0.t0"]]


def content(tmp_path: Path, template: str, **options: object) -> str:
    done = run(
        tmp_path,
        "- hosts: n1\n  tasks:\n    - template: {src: t.j2, dest: /etc/t}\n",
        files={"templates/t.j2": template, "templates/inc.j2": "<{{ port }}>", **options.pop("more", {})},  # type: ignore[dict-item]
    )
    if done.failure["n1"]:
        return done.failure["n1"]
    return done.segments["n1"][0].steps[0].content.data.decode()  # type: ignore[union-attr]


def test_template_files(tmp_path: Path) -> None:
    text = "{# c #}a\n{% for h in groups.store %}\n{{ h }}={{ hostvars[h].port }}\n{% endfor %}\n"
    text += "{% include 'inc.j2' %}\nend\n"
    assert content(tmp_path, text) == "a\nn1=1\nn2=2\n<1>end\n"
    assert content(tmp_path, "no newline") == "no newline"
    assert content(tmp_path, "{{ port }}") == "1"
    assert content(tmp_path, "two\n\n") == "two\n\n"
    assert content(tmp_path, "{{ ansible_managed }}") == "Managed by coreops"


def test_template_files_name_the_line(tmp_path: Path) -> None:
    assert "t.j2:3: variable 'prt' is not defined" in content(tmp_path, "a\n{% if true %}\n{{ prt }}\n{% endif %}\n")
    assert "t.j2:2: the template cannot be parsed" in content(tmp_path, "a\n{% if %}\n")
