"""A repository for every test, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.upgrade.channel import shop as shops
from tests.upgrade.channel.shop import Shop


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return shops.make(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def shop(made: Shop, tmp_path: Path) -> Shop:
    """Stable has 1.0.0, alpha 1.1.0."""
    return made.copy(tmp_path / "shop")
