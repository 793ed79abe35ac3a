"""The provider ``command`` obeys the rules of all providers, with a cloud of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.providers.command.rig import CommandRig
from tests.providers.conformance import ProviderConformance


class TestCommand(ProviderConformance):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> CommandRig:
        return CommandRig(tmp_path)
