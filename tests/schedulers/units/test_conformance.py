"""``units`` keeps the rules of all schedulers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.schedulers.conformance import SchedulerConformance
from tests.schedulers.units.fake import UnitsWorld


class TestUnits(SchedulerConformance):
    @pytest.fixture
    def worlds(self) -> Callable[[], UnitsWorld]:
        return UnitsWorld
