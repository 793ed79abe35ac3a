from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.playbook.extra_vars import parse_extra_vars


def test_all_spellings(tmp_path):
    (tmp_path / "v.yml").write_text("d: [1, 2]\na: file\n")
    found = parse_extra_vars(["a=1 b='two words'", '{"c": {"x": true}}', f"@{tmp_path}/v.yml"])
    assert found == {"a": "file", "b": "two words", "c": {"x": True}, "d": [1, 2]}


@pytest.mark.parametrize("text", ["word", "a='open", "[1]", "{a: ", "@/does/not/exist", "1a=2", '{"a b": 1}'])
def test_bad_input_is_one_clear_error(text):
    with pytest.raises(InputError):
        parse_extra_vars([text])


@given(st.text())
def test_anything_is_parsed_or_refused(text):
    if text.startswith("@"):
        return
    with suppress(InputError):
        assert isinstance(parse_extra_vars([text]), dict)
