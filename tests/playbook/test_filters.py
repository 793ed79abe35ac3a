"""Ansible's filters, tests and lookups, by what they yield."""

from __future__ import annotations

from typing import Any

import pytest

from coreops.errors import InputError
from coreops.model import Position
from coreops.playbook.values import Text, render
from coreops.playbook.vars import HostState, Scope, View

VARS: dict[str, Any] = {
    "d": {"a": 1, "b": {"c": [1]}},
    "l": [3, 1, 3],
    "t": "Hello-World",
    "rows": [{"n": "a", "v": 1}, {"n": "b", "v": 2}],
    "result": {"changed": True, "failed": False, "rc": 0},
    "skip": {"changed": False, "skipped": True},
    "playbook_dir": "/nowhere",
}


def value(expression: str) -> Any:
    scope = Scope(View("n1", HostState(), VARS, extra={}, play={}, magic={}))
    return render(Text(expression, Position("f.yml", 1, 1), bare=True), scope, Position("f.yml", 1, 1))


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("none_such | default('x')", "x"),
        ("d.none.such | d('x')", "x"),
        ("'' | default('x', true)", "x"),
        ("'yes' | bool", True),
        ("'0' | bool", False),
        ("'7' | int + 1", 8),
        ("7 | string", "7"),
        ("d | to_json", '{"a": 1, "b": {"c": [1]}}'),
        ("{'a': 1} | to_nice_json", '{\n    "a": 1\n}'),
        ("'[1, 2]' | from_json", [1, 2]),
        ("{'a': [1]} | to_nice_yaml", "a:\n- 1\n"),
        ("'a: [1]' | from_yaml", {"a": [1]}),
        ("'é' | b64encode", "w6k="),
        ("'w6k=' | b64decode", "é"),
        ("t | regex_replace('(?i)WORLD', 'X')", "Hello-X"),
        ("t | regex_replace('(\\\\w+)-(\\\\w+)', '\\\\2 \\\\1')", "World Hello"),
        ("t | regex_search('W.*')", "World"),
        ("t | regex_search('(\\\\w+)-(\\\\w+)', '\\\\2', '\\\\1')", ["World", "Hello"]),
        ("t | regex_search('nope')", None),
        ("t | regex_findall('o')", ["o", "o"]),
        ("'a.b' | regex_escape", "a\\.b"),
        ("'/a/b.c' | basename", "b.c"),
        ("'/a/b.c' | dirname", "/a"),
        ("'/a/b.c' | splitext", ["/a/b", ".c"]),
        ('"a \'b" | quote', "'a '\"'\"'b'"),
        ("l | join(',')", "3,1,3"),
        ("d | combine({'b': {'e': 1}}, recursive=true)", {"a": 1, "b": {"c": [1], "e": 1}}),
        ("{'a': [1]} | combine({'a': [2]}, list_merge='append')", {"a": [1, 2]}),
        ("{'a': 1} | dict2items", [{"key": "a", "value": 1}]),
        ("[{'key': 'a', 'value': 1}] | items2dict", {"a": 1}),
        ("true | ternary('y', 'n')", "y"),
        ("'x' | hash('md5')", "9dd4e461268c8034f5c8564e155c67a6"),
        ("'x' | sha256", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
        ("l | unique", [3, 1]),
        ("l | union([4])", [3, 1, 4]),
        ("l | intersect([1])", [1]),
        ("l | difference([1])", [3]),
        ("[1, [2, [3]]] | flatten", [1, 2, 3]),
        ("[1, [2, [3]]] | flatten(1)", [1, 2, [3]]),
        ("rows | selectattr('v', '>', 1) | map(attribute='n')", ["b"]),
        ("['a'] | map('extract', d)", [1]),
        ("[1, 2] | zip([3, 4])", [[1, 3], [2, 4]]),
        ("rows | subelements('n')", [[{"n": "a", "v": 1}, "a"], [{"n": "b", "v": 2}, "b"]]),
        ("l | sort | first", 1),
        ("result is changed", True),
        ("result is succeeded and result is not failed", True),
        ("skip is skipped", True),
        ("'3.5.21' is version('3.6', '<')", True),
        ("'3.6.0-rc1' is version('3.6.0', '<')", True),
        ("'10.0' is version('9.9', '>=')", True),
        ("'abc' is match('b')", False),
        ("'abc' is search('b')", True),
        ("'' is falsy", True),
        ("1 in l", True),
        ("x is defined", False),
        ("lookup('vars', 't')", "Hello-World"),
        ("query('vars', 't')", ["Hello-World"]),
        ("lookup('env', 'COREOPS_NO_SUCH_VARIABLE')", ""),
        ("query('fileglob', '/etc/passw[d]')", ["/etc/passwd"]),
        ("query('fileglob', '/etc/no-such-*')", []),
        ("'a,b'.split(',')", ["a", "b"]),
        ("range(3) | list", [0, 1, 2]),
    ],
)
def test_yields(expression: str, wanted: Any) -> None:
    assert value(expression) == wanted


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("none_such", "'none_such' is not defined"),
        ("none_such | mandatory", "not defined"),
        ("t | b64decode", "the template failed"),
        ("'x' | from_json", "the template failed"),
        ("t is changed", "wants a registered result"),
        ("lookup('pipe', 'id')", "refused"),
        ("lookup('fle', 'x')", "did you mean 'file'?"),
        ("lookup('file', 'x')", "no file 'x'"),
        ("lookup('vars', 'tt')", "'tt'"),
        ("1 / 0", "division by zero"),
        ("d.aa.b + 1", "did you mean 'a'?"),
        ("[none_such]", "not defined"),
        ("omit ~ 'x'", "omit can only be a whole value"),
    ],
)
def test_mistakes_have_a_place(expression: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        value(expression)
    assert caught.value.where == "f.yml:1:1"
    assert words in str(caught.value)
