"""What ends a rollout from outside."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from coreops.upgrade.running.conduct import Signals


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def rollout(told: list[str]) -> Any:
    return SimpleNamespace(stop=lambda why: told.append("stop"), leave=lambda why: told.append("leave"))


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_once_finishes_and_twice_leaves(first: signal.Signals, rollout: Any, told: list[str]) -> None:
    with Signals(rollout):
        signal.raise_signal(first)
        assert told == ["stop"]
        signal.raise_signal(signal.SIGHUP)
        assert told == ["stop"], "a terminal that goes away is told of twice, and comes after a Ctrl-C"
        signal.raise_signal(signal.SIGTERM)
        assert told == ["stop", "leave"]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_nohup_stays_nohup(rollout: Any, told: list[str]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals(rollout):
            signal.raise_signal(signal.SIGHUP)
        assert told == []
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_before_the_rollout_it_is_an_ordinary_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), Signals():
        signal.raise_signal(signal.SIGTERM)
