"""Host names, ports and ranges."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.inventory.names import check_group, expand, is_ipv6, parse_host
from coreops.model import Position

HERE = Position("f", 3, 5)
WORD = st.text("abcxyz", min_size=1, max_size=3)


@given(WORD, st.integers(0, 200), st.integers(0, 50), st.integers(1, 7), st.integers(0, 4), st.text("xyz-"))
def test_numbers_count_up_by_the_step_and_keep_their_width(
    head: str, begin: int, length: int, step: int, width: int, tail: str
) -> None:
    end = begin + length
    width = max(width, len(str(end))) if width else 0
    first, last = (str(number).zfill(width) for number in (begin, end))
    expected = [head + str(n).zfill(width) + tail for n in range(begin, end + 1, step)]
    if len(first) > 1 and first[0] == "0" and len(first) != len(last):
        return
    if not (width and first[0] == "0" and len(first) > 1):
        expected = [head + str(n) + tail for n in range(begin, end + 1, step)]
    assert list(expand(f"{head}[{first}:{last}:{step}]{tail}", HERE)) == expected
    if step == 1:
        assert list(expand(f"{head}[{first}:{last}]{tail}", HERE)) == expected


@given(st.integers(0, 51), st.integers(0, 51))
def test_letters_run_from_a_to_upper_z(a: int, b: int) -> None:
    low, high = sorted((a, b))
    letters = string.ascii_letters
    assert expand(f"n[{letters[low]}:{letters[high]}]", HERE) == tuple("n" + c for c in letters[low : high + 1])


@given(st.lists(st.tuples(WORD, st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4))
def test_several_ranges_multiply_and_the_last_runs_fastest(parts: list[tuple[str, int, int]]) -> None:
    text = "".join(f"{word}[{begin}:{begin + more}]" for word, begin, more in parts)
    expected = [""]
    for word, begin, more in parts:
        expected = [f"{done}{word}{n}" for done in expected for n in range(begin, begin + more + 1)]
    assert list(expand(text, HERE)) == expected


@pytest.mark.parametrize(
    ("text", "hosts", "port"),
    [
        ("n1", ("n1",), None),
        ("n1:22", ("n1",), 22),
        ("n[1:2]:2200", ("n1", "n2"), 2200),
        ("n[:2]", ("n0", "n1", "n2"), None),
        ("2001:db8::1", ("2001:db8::1",), None),
        ("::1", ("::1",), None),
        ("fe80::1%eth0", ("fe80::1%eth0",), None),
        ("[2001:db8::1]:22", ("2001:db8::1",), 22),
        ("2001:db8::[1:3]", ("2001:db8::1", "2001:db8::2", "2001:db8::3"), None),
        ("10.0.0.[9:10]:22", ("10.0.0.9", "10.0.0.10"), 22),
        ("knoten-ä", ("knoten-ä",), None),
    ],
)
def test_hosts_ports_and_addresses(text: str, hosts: tuple[str, ...], port: int | None) -> None:
    assert parse_host(text, HERE) == (hosts, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-n1", "--", "---", "/n1", "a/b", "../n", "n 1", "n1\n", "n\x001", "n1\t", ".n", "~n", "!n", "&n", "@n"),
        *("$(x)", "`x`", "n'1", 'n"1', "n;1", "n|1", "n*", "n?", "a,b", "core@n1", "n1:", "n1:x", "n1:0", "n1:65536"),
        *("a:b:c", "n1:²", "n[", "n]", "n[1", "n[]", "n[1]", "n[1:]", "n[5:1]", "n[1:2:0]", "n[1:2:3:4]", "n[aa:bb]"),
        *(
            "n[1:a]",
            "n[01:100]",
            "n[-1:3]",
            "n[1:999999999]",
            "n[0:9999][0:9999]",
            "[::1]",
            "n[1:2:x]",
            "[1:2]-[",
            "\u202e",
        ),
    ],
)
def test_hostile_names_are_refused_with_their_place(text: str) -> None:
    with pytest.raises(InputError, match=r"^f:3:5: "):
        parse_host(text, HERE)


@given(st.text(max_size=12))
def test_whatever_passes_is_safe_as_a_word_and_a_file_name(text: str) -> None:
    try:
        names, _ = parse_host(text, HERE)
    except InputError:
        return
    for name in names:
        assert name[0] != "-"
        assert "/" not in name
        assert name not in (".", "..")
        assert name.isprintable()
        assert not any(c.isspace() or c in "*?[]!&,~@'\"`$;|<>(){}\\" for c in name)


@pytest.mark.parametrize("name", ["store", "my-group", "a.b", "2nd", "with space", "größe"])
def test_group_names(name: str) -> None:
    check_group(name, HERE)


@pytest.mark.parametrize(
    "name", ["", " ", "-g", "a/b", "a:b", "a,b", "g\n", "g\0", "!g", "*", "~g", "g ", "../g", "@g"]
)
def test_hostile_group_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^f:3:5: "):
        check_group(name, HERE)


def test_ipv6() -> None:
    assert is_ipv6("::1")
    assert is_ipv6("fe80::1%eth0")
    assert not is_ipv6("10.0.0.1")
    assert not is_ipv6("a:b")
