"""A node of the lab seen from outside, while it goes."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from coreops.providers.namespace.gpt import Slot
from coreops.providers.namespace.node import _mounted_slot, _release


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ESRCH, errno.EINVAL])
def test_a_process_that_ends_has_nothing_mounted(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel said EINVAL for the mounts of one that had given up its mount namespace already."""

    def gone(path: Path) -> str:
        raise OSError(number, "gone")

    monkeypatch.setattr(Path, "read_text", gone)
    slot = Slot("USR-A", 3, 1, 0, True)
    assert (_mounted_slot(4711, [slot]), _release(4711)) == (None, None)
