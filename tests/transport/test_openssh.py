"""The conformance suite over the openssh transport."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from coreops.transport import Connection
from tests.support.sshd import Sshd
from tests.transport.conformance_ssh import OverSsh

pytestmark = pytest.mark.slow


class TestOpenssh(OverSsh):
    name = "openssh"

    @pytest.mark.slow  # fifty programs, where the other transport has threads
    def test_fifty_at_once_with_the_default_limits(
        self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd]
    ) -> None:
        super().test_fifty_at_once_with_the_default_limits(run, new_sshd)
