"""Conformance suites are shared by tests of several folders: pytest must know of them before anybody imports them."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.upgrade.slots.conformance", "tests.providers.conformance")
