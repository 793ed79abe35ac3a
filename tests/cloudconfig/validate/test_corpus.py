"""Every document of corpus/TARGET gives the findings written beside it; ``NAME@PLATFORM`` is judged for that platform.

Documents at the top are for coreos-cloudinit. ``REGENERATE=1 pytest`` writes the findings anew; read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coreops.cloudconfig.platforms.records import find
from coreops.cloudconfig.validate.check import check, judge, target_named
from coreops.cloudconfig.validate.target import NAMES

CORPUS = Path(__file__).parent / "corpus"
DOCUMENTS = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.suffix != ".expected")


def target(path: Path) -> str:
    return "coreos" if path.parent == CORPUS else path.parent.name


def findings(path: Path) -> str:
    _, _, platform = path.stem.partition("@")
    found = check(path.read_bytes(), path.name, find(platform) if platform else None, target(path))
    return "".join(f"{finding}\n" for finding in found)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{target(path)}-{path.stem}")
def test_findings(path: Path) -> None:
    expected = path.with_suffix(".expected")
    if os.environ.get("REGENERATE"):
        expected.write_text(findings(path))
    assert findings(path) == expected.read_text()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.stem.startswith("good-")], ids=lambda p: p.stem)
def test_good_documents_have_no_error(path: Path) -> None:
    assert " error " not in findings(path)


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if target(path) != "coreos"], ids=lambda path: path.stem)
def test_what_a_document_is_for_is_told_from_itself(path: Path) -> None:
    told = judge(path.read_bytes(), path.name).kind
    assert told == target(path) or path.stem.startswith(("header-", "read-"))


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_is_large_and_meets_every_rule(name: str) -> None:
    mine = [path for path in DOCUMENTS if target(path) == name]
    assert len(mine) >= (40 if name == "coreos" else 12)
    said = "".join(path.with_suffix(".expected").read_text() for path in mine)
    assert [rule.name for rule in target_named(name).rules if f"[{rule.name}]" not in said] == []
