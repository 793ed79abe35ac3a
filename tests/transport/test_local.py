"""The conformance suite over the local transport."""

from __future__ import annotations

from tests.transport.conformance import Conformance


class TestLocal(Conformance):
    name = "local"
