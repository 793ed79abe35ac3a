"""Machines for the slot tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.upgrade.slots.machine import Machine, why_not


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """Make machines; they are switched off and their loop devices given back afterwards."""
    if reason := why_not():
        pytest.skip(reason)
    made: list[Machine] = []

    def make(kind: type[Machine] = Machine, **options: str) -> Machine:
        folder = tmp_path / f"machine{len(made)}"
        folder.mkdir()
        made.append(kind(folder, **options))
        return made[-1]

    yield make
    for machine in made:
        machine.close()
