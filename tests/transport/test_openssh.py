"""The conformance suite over the openssh transport."""

from __future__ import annotations

from tests.transport.conformance_ssh import OverSsh


class TestOpenssh(OverSsh):
    name = "openssh"
