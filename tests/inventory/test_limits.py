"""--limit: patterns and @files."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import InputError
from tests.inventory.support import from_ini

INVENTORY = from_ini("[store]\nn[1:4]\n[eu]\nn1\nn3\n")


def test_a_limit_keeps_the_pattern_s_order() -> None:
    assert INVENTORY.match("store", "n3,n1") == ("n1", "n3")
    assert INVENTORY.match("n4:n1", "all:!n3") == ("n4", "n1")
    assert INVENTORY.match("store", "store[1:2]:&eu") == ("n3",)


def test_a_file_has_one_pattern_a_line(tmp_path: Path) -> None:
    path = tmp_path / "retry"
    path.write_text("# failed yesterday\nn1\n\n  store[-1]  \n")
    assert INVENTORY.match("all", f"@{path}") == ("n1", "n4")
    assert INVENTORY.match("all", f"n2,@{path}") == ("n1", "n2", "n4")


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "retry"
    path.write_text("n1\nm2\n")
    with pytest.raises(InputError, match=rf"^{path}:2: no host or group is named 'm2'"):
        INVENTORY.match("all", f"@{path}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        INVENTORY.match("all", f"@{tmp_path}/none")
    with pytest.raises(InputError, match="cannot read"):
        INVENTORY.match("all", f"@{tmp_path}")


def test_an_unknown_name_in_a_limit_is_an_error() -> None:
    with pytest.raises(InputError, match=r"limit 'n9': no host or group is named 'n9'"):
        INVENTORY.match("all", "n9")


def test_an_empty_limit_file_selects_nothing_rather_than_all(tmp_path: Path) -> None:
    path = tmp_path / "retry"
    path.write_text("\n")
    with pytest.raises(InputError, match="the pattern is empty"):
        INVENTORY.match("all", f"@{path}")
