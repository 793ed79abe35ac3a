"""What all tests share: which files are conformance suites, and how much Hypothesis tries where a test does not say."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# pytest must know of conformance suites, which tests of several folders share, before anybody imports them.
pytest.register_assert_rewrite(
    "tests.upgrade.slots.conformance",
    "tests.providers.conformance",
    "tests.schedulers.conformance",
    "tests.schedulers.worlds",
)

# Files of tests that take a minute or more. They go first, so that of several processes none is waited for at the end.
LONG = (
    "lab/test_swarm_upgrade.py",
    "lab/test_sdboot.py",
    "lab/test_upgrade_kill.py",
    "lab/test_swarm.py",
    "lab/test_upgrade_bad.py",
    "lab/test_qemu.py",
    "lab/test_upgrade_trouble.py",
    "lab/test_playbooks.py",
    "lab/test_nomad.py",
    "lab/test_k3s.py",
    "lab/test_units.py",
    "lab/test_registration.py",
    "lab/test_upgrade.py",
    "test_readme.py",
    "lab/test_bootstrap.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order of ``LONG``; the others behind, as they were."""
    ranks = {name: rank for rank, name in enumerate(LONG)}
    here = Path(__file__).parent
    items.sort(key=lambda item: ranks.get(item.path.relative_to(here).as_posix(), len(LONG)))


# A machine that is busy with other things is no reason to fail.
settings.register_profile("coreops", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("coreops")

# nohup, and a shell that starts us in the background, leave these ignored, also for the programs that tests start.
for each, handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
    if signal.getsignal(each) is signal.SIG_IGN:
        signal.signal(each, handler)
