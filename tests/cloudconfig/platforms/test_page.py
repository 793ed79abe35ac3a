"""docs/platforms.md is made from the records. ``REGENERATE=1 pytest`` writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

from coreops.cloudconfig.platforms.page import page
from coreops.cloudconfig.platforms.records import PLATFORMS

PAGE = Path(__file__).parents[3] / "docs" / "platforms.md"


def test_the_page_is_that_of_the_records() -> None:
    made = page(PLATFORMS.values())
    if os.environ.get("REGENERATE"):
        PAGE.write_text(made)
    assert PAGE.read_text() == made


def test_every_fact_is_on_it() -> None:
    text = PAGE.read_text()
    assert all(f"## {name}\n" in text for name in PLATFORMS)
    assert all(quirk.text in text and quirk.source in text for each in PLATFORMS.values() for quirk in each.quirks)
