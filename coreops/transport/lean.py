"""Imports paramiko without invoke, which takes as long as several connections and serves only ``Match exec``.

A stand-in loads the real invoke when an ssh_config asks for it. Knows how paramiko uses invoke, and nothing else.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


def import_paramiko() -> None:
    """Import paramiko; a no-op when it, or invoke, is there already."""
    if "paramiko" in sys.modules or "invoke" in sys.modules:
        return
    stand_in: Any = ModuleType("invoke")
    stand_in.run = _run
    sys.modules["invoke"] = stand_in
    try:
        import paramiko.config  # noqa: F401 - it keeps the stand-in
    finally:
        del sys.modules["invoke"]


def _run(command: str, **options: Any) -> Any:
    import invoke

    return invoke.run(command, **options)
