"""The toy as a scheduler that inventories can name."""

from __future__ import annotations

import pytest

from coreops.schedulers import registry


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PREFIXES, "toy", ("toy_",))
    monkeypatch.setitem(registry.PACKAGES, "toy", "tests.schedulers.toy")
