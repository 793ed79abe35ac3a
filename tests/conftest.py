"""What all tests share: which files are conformance suites, and how much Hypothesis tries where a test does not say."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
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

# What tests start as python3 is the Python that they run in, not a version manager's slow script that looks for one.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))

# Thousands of tests are collected, and stay; looking through them for garbage, again and again, costs seconds.
gc.disable()

# Files of tests that take a minute or more. They go first, so that of several processes none is waited for at the end.
LONG = (
    "lab/test_qemu_upgrade.py",
    "vagrant/test_up.py",
    "lab/test_sdboot.py",
    "lab/test_swarm.py",
    "lab/test_bootstrap.py",
    "lab/test_upgrade_bad.py",
    "lab/test_upgrade_kill.py",
    "lab/test_swarm_upgrade.py",
    "lab/test_qemu.py",
    "lab/test_upgrade_trouble.py",
    "lab/test_playbooks.py",
    "vagrant/test_vagrantfile.py",
    "lab/test_nomad.py",
    "lab/test_k3s.py",
    "lab/test_units.py",
    "lab/test_registration.py",
    "lab/test_upgrade.py",
    "test_readme.py",
)


# What a file of tests with such a mark says somewhere. When only these are asked for, other files are not even loaded:
# that takes seconds, in every process.
SAYS = {
    "slow": re.compile(r"\bslow\b|\bEACH_SHELL\b|\bMACHINES\b|\bnode: Node\b"),
    "lab": re.compile(r"\blab\b|\bMACHINES\b"),
}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """``True`` for a file that has nothing of what is asked for, unless it was named."""
    asked = config.option.markexpr.split(" and ")
    wanted = [SAYS[word] for word in asked if word in SAYS]
    if not wanted or collection_path.suffix != ".py":
        return None
    if any(Path(word.partition("::")[0]).resolve() == collection_path for word in config.args):
        return None
    text = collection_path.read_text()
    return None if all(says.search(text) for says in wanted) else True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order of ``LONG``; the others behind, as they were."""
    for word, says in SAYS.items():
        for path in {item.path for item in items if item.get_closest_marker(word)}:
            if not says.search(path.read_text()):
                raise pytest.UsageError(
                    f"{path} has tests marked {word}, and {says.pattern} is not in it: they would be missed"
                )
    ranks = {name: rank for rank, name in enumerate(LONG)}
    here = Path(__file__).parent
    items.sort(key=lambda item: ranks.get(item.path.relative_to(here).as_posix(), len(LONG)))


def pytest_collection_finish() -> None:
    """What was collected is no garbage, and is never looked at again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


# A machine that is busy with other things is no reason to fail.
settings.register_profile("coreops", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("coreops")

# nohup, and a shell that starts us in the background, leave these ignored, also for the programs that tests start.
for each, handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
    if signal.getsignal(each) is signal.SIG_IGN:
        signal.signal(each, handler)
