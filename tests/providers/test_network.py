"""What can be said of a network that is not there; the real one is in tests/lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.providers.namespace import network
from coreops.providers.namespace.names import LabNames


def test_after_a_reboot_of_the_host_no_link_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(network, "_NETNS", tmp_path)
    assert not network.is_cut(LabNames("one", tmp_path).node("n1"))
