"""The conformance suite over the fake transport."""

from __future__ import annotations

from tests.transport.conformance import Conformance


class TestFake(Conformance):
    name = "fake"
