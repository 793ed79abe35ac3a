"""What all tests share: which files are conformance suites, and how much Hypothesis tries where a test does not say."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

# pytest must know of conformance suites, which tests of several folders share, before anybody imports them.
pytest.register_assert_rewrite(
    "tests.upgrade.slots.conformance",
    "tests.providers.conformance",
    "tests.schedulers.conformance",
    "tests.schedulers.worlds",
)

# A machine that is busy with other things is no reason to fail.
settings.register_profile("coreops", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("coreops")

# nohup, and a shell that starts us in the background, leave these ignored, also for the programs that tests start.
for each, handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
    if signal.getsignal(each) is signal.SIG_IGN:
        signal.signal(each, handler)
