"""A translated pattern finds what Python's finds, in grep; what has no equal is refused."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.modules.regex import expand, translate

LINES = [
    "",
    "a",
    "ab",
    "aab",
    "a b",
    "x=1",
    "x = 22",
    "#PasswordAuthentication yes",
    "é",
    "a\\b",
    "[x]",
    "a^b-c]",
    "\t",
    "^",
]

PATTERNS = [
    r"^#?PasswordAuthentication\s",
    r"x\s*=\s*\d+$",
    r"(?:a|b){2,}",
    r"(?i)PASSWORD",
    r"a*?b",
    r"\bx\b",
    r"[\]\[^-]",
    r"[^]a-c]",
    r"[^\w\s]",
    r"\W",
    r"[\\^]",
    r"é+",
    r"a\\b",
    r"\A\Z",
    r"x.=.2{2}",
    r"[\d\s]",
    r"(a)(b)?",
    r"[^a]",
    r"\^",
    r"[-^]",
]


def grep(pattern: str, lines: list[str]) -> list[bool]:
    ere = translate(pattern)
    words = ["grep", "-n", *(["-i"] if ere.ignore_case else []), "-E", "-e", ere.text]
    text = "".join(line + "\n" for line in lines).encode()
    done = subprocess.run(
        words, input=text, capture_output=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    found = {int(line.split(b":")[0]) for line in done.stdout.splitlines()}
    return [number in found for number, _ in enumerate(lines, 1)]


def python(pattern: str, lines: list[str]) -> list[bool]:
    compiled = re.compile(pattern, re.ASCII)
    return [compiled.search(line) is not None for line in lines]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_finds_what_python_finds(pattern: str) -> None:
    assert grep(pattern, LINES) == python(pattern, LINES)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_generated_patterns(data: st.DataObject) -> None:
    atoms = st.sampled_from(
        ["a", "b", r"\d", r"\s", r"\w", ".", r"\.", r"\[", "[a-c]", "[^b]", r"[\]x]", r"[\\a-]", "=", "é"]
    )
    repeat = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "*?"])
    piece = st.builds(lambda a, r: a + r, atoms, repeat)
    pattern = data.draw(st.builds("".join, st.lists(piece, min_size=1, max_size=5)))
    if data.draw(st.booleans()):
        pattern = f"({pattern})|^{data.draw(piece)}$"
    lines = data.draw(st.lists(st.text(st.sampled_from(r"ab1c .[]\x=-"), max_size=8), min_size=1, max_size=8))
    assert grep(pattern, lines) == python(pattern, lines)


@given(st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=12))
@settings(max_examples=60, deadline=None)
def test_an_escaped_text_finds_itself(text: str) -> None:
    assert grep(re.escape(text), [f"x{text}y"]) == [True]


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(?=x)", "look-ahead"),
        ("(?<!x)y", "look-ahead"),
        (r"(a)\1", "back reference"),
        ("(?>a)", "atomic"),
        ("a++", "possessive"),
        ("[éa]", "ASCII"),
        ("(", "not a regular expression"),
        ("a\nb", "newline"),
        ("(?i:a)b", "part of the pattern"),
        (r"[\Wa]", "no equal"),
    ],
)
def test_refused(pattern: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        translate(pattern)


def test_expand() -> None:
    ere = translate(r"(?:xy)+(?P<key>a)(b)", captures=True)
    assert expand(ere, r"\g<key>=\2 & / \\ \g<0>") == r"\2=\3 \& \/ \\ &"
    with pytest.raises(ValueError, match="lazy"):
        translate("a*?", captures=True)
    with pytest.raises(ValueError, match="no group 5"):
        expand(ere, r"\5")
    with pytest.raises(ValueError, match="single"):
        expand(ere, "a\\")
