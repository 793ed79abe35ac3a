"""What YAML 1.1 and YAML 1.2 readers see is what was meant, and the text says it plainly."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.emit import emit, kept_raw, scalar


class Core(yaml.SafeLoader):
    """A reader of YAML 1.2's core schema."""


Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(\.inf|\.Inf|\.INF)|\.nan", "-+.0123456789"),
):
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), [*first, ""])

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        *[
            "off",
            "0644",
            "yes",
            "n",
            "~",
            "",
            "1:30",
            "0x1f",
            "1e3",
            "- a",
            "a: b",
            "# x",
            "a #b",
            "{{",
            "%x",
            "@x",
            "`x`",
        ],
        *[
            "'",
            '"',
            "|",
            ">",
            "<<",
            "=",
            ".inf",
            "\\$private_ipv4",
            "2001-01-01",
            " x",
            "x ",
            "\n",
            "a\n\n",
            "a\n  b\n",
        ],
        *[
            "a\n \n",
            " a\nb",
            "\ta\nb",
            "a\tb",
            "a\tb\nc",
            "\u2028",
            "\x85",
            "\ufeff",
            "é",
            "🐧",
            "a\r\nb",
            "---",
            "...",
        ],
    ]
)
SCALARS = (
    TEXTS | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False).map(lambda x: round(x, 2))
)
DATA = st.dictionaries(
    TEXTS.filter(lambda key: len(key) < 100),
    st.recursive(SCALARS, lambda each: st.lists(each, max_size=4) | st.dictionaries(TEXTS, each, max_size=4)),
    max_size=5,
)


@given(DATA)
def test_both_readers_see_what_was_meant(data: dict[str, Any]) -> None:
    text = emit(data)
    assert (yaml.safe_load(text) or {}) == data
    if data:
        assert yaml.load(text, Loader=Core) == data


@given(TEXTS)
def test_text_that_is_kept_raw_stands_in_the_document(text: str) -> None:
    if kept_raw(text) and "\n" not in text:
        assert text.replace("'", "''") in emit({"a": text})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("core", "core"),
        ("/etc/motd", "/etc/motd"),
        ("off", "'off'"),
        ("Yes", "'Yes'"),
        ("0644", "'0644'"),
        ("a: b", "'a: b'"),
        ("it's", "'it''s'"),
        (r"\$private_ipv4", r"'\$private_ipv4'"),
        ("a\r", '"a\\r"'),
        (True, "true"),
        (7, "7"),
    ],
)
def test_a_scalar_is_quoted_when_it_must_be(value: Any, shown: str) -> None:
    assert scalar(value) == shown


def test_lines_become_a_block() -> None:
    assert emit({"a": [{"content": "x\n\n y\n"}]}) == "a:\n  - content: |\n      x\n\n       y\n"
