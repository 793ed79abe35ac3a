"""Runs the shipped testinfra suite against the nodes, over the connections a run has already. Knows pytest and
testinfra; the tests themselves are in ``verify_suite``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coreops.model import ShellStep
from coreops.store.cluster import Member
from coreops.store.nodes import Nodes

SUITE = Path(__file__).with_name("verify_suite")


def run(nodes: Nodes, members: Sequence[Member]) -> int:
    """Run every test on every member; return how many failed. pytest writes to stderr: stdout is for results."""
    import pytest

    plugin = _plugin(nodes, members)
    arguments = [str(SUITE), "-q", "--color=auto", "-p", "no:cacheprovider", "--rootdir", str(SUITE), "-c", os.devnull]
    with contextlib.redirect_stdout(sys.stderr):
        code = pytest.main(arguments, plugins=[plugin])
    return max(int(plugin.failed), 0 if code == pytest.ExitCode.OK else 1)


def _plugin(nodes: Nodes, members: Sequence[Member]) -> Any:
    import pytest
    from testinfra.backend.base import BaseBackend, CommandResult  # type: ignore[import-untyped]
    from testinfra.host import Host  # type: ignore[import-untyped]

    class Backend(BaseBackend):  # type: ignore[misc]
        """A testinfra backend whose commands are steps of the engine."""

        NAME = "coreops"

        def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
            line = self.get_command(command, *args)
            step = ShellStep(
                id=nodes.name("test"), title=line[:60], act=line, changes=False, ignore_errors=True, timeout=60.0
            )
            record = nodes.run({self.hostname: [step]})[self.hostname][step.id]
            return self.result(record.rc, line.encode(), record.stdout, record.stderr)

        def get_pytest_id(self) -> str:
            return str(self.hostname)

    class Plugin:
        """Gives every test its node: ``node`` to ask, ``member`` to compare with, ``members`` for the whole cluster."""

        failed = 0

        def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
            if "member" in metafunc.fixturenames:
                metafunc.parametrize("member", members, ids=[m.name for m in members])

        @pytest.fixture
        def node(self, member: Member) -> Any:
            backend = Backend(member.name)
            made = Host(backend)
            backend.set_host(made)
            return made

        @pytest.fixture
        def members(self) -> Sequence[Member]:
            return members

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            self.failed += report.failed

    return Plugin()
