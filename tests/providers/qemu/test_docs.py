"""docs/qemu.md against the provider: its variables and their defaults, and the inventory that it shows."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from coreops.inventory import load_inventory
from coreops.model import Position
from coreops.providers.protocol import Wanted
from coreops.providers.qemu.settings import Settings, read

PAGE = (Path(__file__).parents[3] / "docs" / "qemu.md").read_text()


def test_the_page_has_every_variable_with_its_default() -> None:
    told = dict(re.findall(r"^\| `qemu_(\w+)` \| ([^|]*) \|", PAGE, re.MULTILINE))
    assert told.keys() == Settings.model_fields.keys() - {"platform"}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, int | str):
            assert told[name].strip("`") == str(field.default)


def test_the_inventory_of_the_page_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"(?:^    .*\n)+", PAGE[PAGE.index("    all:") :], re.MULTILINE)[:1]
    (tmp_path / "hosts.yml").write_text(textwrap.dedent(text))
    inventory = load_inventory(tmp_path / "hosts.yml")
    assert list(inventory.hosts) == ["n1", "n2", "n3"]
    settings = {name: each.value for name, each in inventory.settings("n1").items() if name.startswith("qemu_")}
    assert read(Wanted("n1", "mine", b"", settings, Position("h"))) == Settings()
