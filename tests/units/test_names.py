"""Names of units, templates, ranges and specifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.units import names


def test_the_parts_of_a_name() -> None:
    name = names.read("web@a@b.service")
    assert (name.prefix, name.instance, name.type, name.template) == ("web", "a@b", "service", "web@.service")
    assert name.fill("%n %N %p %i %%") == "web@a@b.service web@a@b web a@b %%"
    assert names.read("web@.service").is_template
    plain = names.read("a.b.timer")
    assert (plain.prefix, plain.instance, plain.template, plain.fill("%i|%p")) == ("a.b", "", "", "|a.b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web", "no type"),
        ("web.", "no type"),
        ("", "no type"),
        ("web.servce", "no units of the type"),
        ("web one.service", "' '"),
        ("wéb.service", "'é'"),
        ("a/b.service", "'/'"),
        ("@1.service", "nothing before"),
        (".service", "nothing before"),
        ("web@1.mount", "cannot be a mount"),
        ("a" * 250 + ".service", "256 is the most"),
    ],
)
def test_bad_names(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        names.read(text)
    assert said in str(caught.value)


def test_ranges() -> None:
    assert names.expand("web@1..3.service") == ("web@1.service", "web@2.service", "web@3.service")
    assert names.expand("web@1..2") == ("web@1.service", "web@2.service")
    assert names.expand("web") == ("web.service",)
    assert names.expand("web@a.timer") == ("web@a.timer",)
    for bad in ("web@3..1.service", "web@1..99999999.service"):
        with pytest.raises(InputError):
            names.expand(bad)


def test_sorted_as_people_do() -> None:
    assert sorted(["web@10", "web@2", "api", "web@1b"], key=names.natural) == ["api", "web@1b", "web@2", "web@10"]


@given(st.lists(st.text(max_size=8)))
def test_any_names_can_be_sorted(texts: list[str]) -> None:
    sorted(texts, key=names.natural)
