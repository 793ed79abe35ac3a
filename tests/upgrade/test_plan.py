"""When things are tried again, and when health is looked at again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coreops.upgrade.plan import Patience, Policy

SECONDS = st.floats(0, 1e6)


@given(waited=SECONDS, interval=st.floats(0.001, 60))
def test_the_pause_grows_with_what_was_waited(waited: float, interval: float) -> None:
    pause = Patience(interval=interval).pause(waited)
    assert 0 < pause <= interval
    assert pause <= max(interval, waited) / 20
    assert pause <= Patience(interval=interval).pause(waited + 1)


@given(now=SECONDS, ago=st.floats(0, 1e4), soak=st.floats(0, 1e4))
def test_the_last_sample_is_taken_when_the_soak_ends(now: float, ago: float, soak: float) -> None:
    policy = Policy(soak=soak)
    well_since = now - ago
    at = policy.next_sample(now, well_since)
    assert now < at <= now + policy.patience.interval
    if well_since + soak <= at:
        assert at >= well_since + soak  # the very comparison that ends the soak
    if now < well_since + soak < now + policy.patience.interval:
        assert at == well_since + soak
