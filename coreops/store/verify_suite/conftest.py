"""``host`` is a testinfra host over the run's own connection (see ``coreops.store.suite``)."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def host(node: Any) -> Any:
    """Takes the place of testinfra's own fixture, which would open connections itself."""
    return node
