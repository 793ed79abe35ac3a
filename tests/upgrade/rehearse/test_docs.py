"""docs/simulator.md: every failure of the list has a row, and every row tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

from coreops.upgrade.rehearse.faults import FAULTS
from tests.upgrade.rehearse.mutants import MUTANTS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "simulator.md").read_text()
ROWS = {int(number): where for number, where in re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", TEXT, re.M)}


def quoted(text: str) -> set[str]:
    return set(re.findall(r'"([^"]+)"', text))


def test_every_failure_has_a_row():
    assert sorted(ROWS) == list(range(1, 57))


def test_rows_name_the_faults_that_inject_them():
    mutants = {mutant.name for mutant in MUTANTS}
    wrong = [
        f"{number}: {name}"
        for number, where in ROWS.items()
        for name in quoted(where)
        if name not in mutants and (name not in FAULTS or number not in FAULTS[name].numbers)
    ]
    assert not wrong


def test_every_fault_stands_in_the_rows_it_claims():
    missing = [
        f"{number}: {fault.name}"
        for fault in FAULTS.values()
        for number in fault.numbers
        if fault.name not in quoted(ROWS[number])
    ]
    assert not missing


def test_a_row_without_a_fault_says_why():
    assert not [number for number, where in ROWS.items() if not quoted(where) and "does not apply" not in where]


def test_the_tests_it_names_are_there():
    assert all((ROOT / path.rstrip(".")).exists() for path in re.findall(r"tests/[\w./]+", TEXT))
