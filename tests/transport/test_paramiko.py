"""The conformance suite over the paramiko transport."""

from __future__ import annotations

from tests.transport.conformance_ssh import OverSsh


class TestParamiko(OverSsh):
    name = "paramiko"
