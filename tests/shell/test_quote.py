"""Every text survives every shell unchanged, as one word."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.shell import quote

SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]]
HOSTILE = ["", " ", "'", '"', "\\", "\n", "a\n", "$(id)", "`id`", "$HOME", "-n", "--", "*", "?", "[a]", "~", "!x", "#c"]
HOSTILE += ["a=b", "PATH=/x", "é\u2028", "a'b\"c", "\\'", "''", ";", "&&", "|", ">x", "{a,b}", "%s", "\r", "\t", "if"]

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30) | st.sampled_from(HOSTILE)


def _words(shell: list[str], line: str) -> list[str]:
    script = 'for word do printf "%s\\0" "$word"; done'
    done = subprocess.run([*shell, "-c", f"set -- {line}\n{script}"], capture_output=True, check=True, cwd="/")
    assert not done.stderr
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda s: s[0])
def test_any_words_come_out_unchanged(shell: list[str]) -> None:
    if not shutil.which(shell[0]):
        pytest.skip(f"{shell[0]} is not installed")

    @settings(max_examples=40, deadline=None)
    @given(st.lists(texts, min_size=1, max_size=60))
    def check(words: list[str]) -> None:
        assert _words(shell, quote.join(words)) == words

    check()
    assert _words(shell, quote.join(HOSTILE)) == HOSTILE


def test_a_path_is_never_an_option() -> None:
    assert quote.path("-rf") == "./-rf"
    assert quote.path("-") == "./-"
    assert quote.path("/a b") == "'/a b'"


def test_plain_words_stay_readable() -> None:
    assert quote.q("/etc/a-b_c.conf") == "/etc/a-b_c.conf"
    assert quote.q("A=b") == "'A=b'"
    assert quote.q("") == "''"


def test_nul_is_refused() -> None:
    with pytest.raises(InputError, match="NUL"):
        quote.q("a\0b")


@pytest.mark.parametrize("shell", SHELLS, ids=lambda s: s[0])
def test_glob_leaves_only_the_pattern_to_the_shell(shell: list[str], tmp_path: object) -> None:
    base = f"{tmp_path}/a $(id) 'b"
    subprocess.run(["mkdir", "-p", base], check=True)
    subprocess.run(["touch", f"{base}/x1.conf", f"{base}/x2.conf", f"{base}/y.conf"], check=True)
    assert _words(shell, quote.glob(f"{base}/x*.conf")) == [f"{base}/x1.conf", f"{base}/x2.conf"]
    assert _words(shell, quote.glob(f"{base}/[xy]?.conf")) == [f"{base}/x1.conf", f"{base}/x2.conf"]
    assert _words(shell, quote.glob("-*")) == ["./-*"]
