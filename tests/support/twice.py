"""Tests that show once more, on other parts, what one of every CI run shows: COREOPS_ALL_TWICE=1 runs them, too."""

from __future__ import annotations

import os

import pytest

ALL = bool(os.environ.get("COREOPS_ALL_TWICE"))


def shown_by(where: str) -> pytest.MarkDecorator:
    """Skip, unless all are to run. where: the test that shows it."""
    return pytest.mark.skipif(not ALL, reason=reason(where))


def reason(where: str) -> str:
    return f"{where} shows it; here only with COREOPS_ALL_TWICE=1"
