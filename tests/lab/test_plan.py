"""``coreops plan`` on real nodes that coreops did not make."""

from __future__ import annotations

import pytest

from coreops.cli._dispatch import dispatch
from coreops.providers.namespace.lab import Lab

pytestmark = pytest.mark.lab


def test_plan_says_who_is_there(healthy: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["plan", str(healthy.inventory)]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "machines: 3 reachable"
    healthy.chaos("n2", "kill")
    assert dispatch(["plan", str(healthy.inventory)]) == 3
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert rows == [["reachable", "n1"], ["unreachable", "n2"], ["reachable", "n3"]]
