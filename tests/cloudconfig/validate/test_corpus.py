"""Every document of corpus/ gives the findings written beside it. ``NAME@PLATFORM.yml`` is judged for that platform.

``REGENERATE=1 pytest`` writes the findings anew; read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coreops.cloudconfig.platforms.records import find
from coreops.cloudconfig.validate.check import check
from coreops.cloudconfig.validate.rules import RULES

CORPUS = Path(__file__).parent / "corpus"
DOCUMENTS = sorted(CORPUS.glob("*.yml"))


def findings(path: Path) -> str:
    _, _, platform = path.stem.partition("@")
    found = check(path.read_bytes(), path.name, find(platform) if platform else None)
    return "".join(f"{finding}\n" for finding in found)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_findings(path: Path) -> None:
    expected = path.with_suffix(".expected")
    if os.environ.get("REGENERATE"):
        expected.write_text(findings(path))
    assert findings(path) == expected.read_text()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.stem.startswith("good-")], ids=lambda p: p.stem)
def test_good_documents_have_no_error(path: Path) -> None:
    assert " error " not in findings(path)


def test_the_corpus_is_large_and_meets_every_rule() -> None:
    assert len(DOCUMENTS) >= 40
    said = "".join(path.read_text() for path in CORPUS.glob("*.expected"))
    assert [rule.name for rule in RULES if f"[{rule.name}]" not in said] == []
