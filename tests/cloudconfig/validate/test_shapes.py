"""The notation of the tables: what it means, and that a slip in one is found when it is read."""

from __future__ import annotations

import pytest

from coreops.cloudconfig.validate.cloud_init.keys import cloud_config
from coreops.cloudconfig.validate.ignition.keys import butane, butane_name, butane_written, config
from coreops.cloudconfig.validate.shapes import Shape, table


def names(shape: Shape) -> set[str]:
    found: set[str] = set()
    for alt in shape:
        found |= set(alt.fields) | names(alt.item) | names(alt.others or ())
        for field in alt.fields.values():
            found |= names(field.shape)
    return found


def test_the_notation() -> None:
    (alt,) = table({"a": "int 0+", "b": "{x!: [$a] 1-2 unique, y@3.2~: 'off' | false~ | /a\\/b/, */^z/: any}"})["b"]
    x, y = alt.fields["x"], alt.fields["y"]
    assert (x.needed, x.shape[0].low, x.shape[0].most, x.shape[0].unique) == (True, 1, 2, True)
    assert x.shape[0].item[0].low == 0
    assert (y.since, y.old) == ("3.2", True)
    assert [(one.kind, one.words, one.pattern, one.old) for one in y.shape] == [
        ("text", ("off",), "", False),
        ("bool", ("false",), "", True),
        ("text", (), "a/b", False),
    ]
    assert (alt.others, alt.others_like) == ((), "^z")


@pytest.mark.parametrize(
    "notation", ["", "{a}", "{a: }", "[text", "text text", "{a: text", "nonsense", "$nobody", "text |", "{a: §}"]
)
def test_a_slip_is_found(notation: str) -> None:
    with pytest.raises(ValueError, match="mine: "):
        table({"mine": notation})


def test_butane_has_ignition_s_keys_and_a_few_more() -> None:
    own = {"inline", "local", "trees", "withMountUnit", "contentsLocal", "sshAuthorizedKeysLocal", "variant"}
    assert names(butane()) - names(config()) == own
    assert names(config()) <= names(butane())


def test_every_name_of_butane_goes_there_and_back() -> None:
    for name in names(butane()):
        assert butane_name(butane_written(name)) == name
        assert name == butane_written(name) or butane_name(name) not in names(butane())


def test_the_tables_can_be_read() -> None:
    assert {"write_files", "runcmd", "users"} <= names(cloud_config())
