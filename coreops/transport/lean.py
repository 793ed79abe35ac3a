"""Imports paramiko without what takes as long as several connections and is hardly used.

invoke serves only ``Match exec``: a stand-in loads the real one when an ssh_config asks for it. importlib.metadata
serves only ``__version__``, which the name of its folder of metadata says too. Knows no more of paramiko than that.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

_IMPORTING = threading.Lock()


def import_paramiko() -> None:
    """Import paramiko; a no-op when it, or invoke, is there already."""
    with _IMPORTING:  # many connections begin at once, and stand-ins are of no use to half an import
        if "paramiko" not in sys.modules and "invoke" not in sys.modules:
            _import_with_stand_ins()


def _import_with_stand_ins() -> None:
    invoke: Any = ModuleType("invoke")
    invoke.run = _run
    stand_ins = {"invoke": invoke}
    if "importlib.metadata" not in sys.modules:
        metadata: Any = ModuleType("importlib.metadata")
        metadata.version = _version
        stand_ins[metadata.__name__] = metadata
    sys.modules |= stand_ins
    try:
        import paramiko.config  # noqa: F401 - it keeps the stand-ins
    finally:
        for name in stand_ins:
            if sys.modules.get(name) is stand_ins[name]:
                del sys.modules[name]


def _run(command: str, **options: Any) -> Any:
    import invoke

    return invoke.run(command, **options)


def _version(package: str) -> str:
    for folder in sys.path:
        for found in Path(folder or ".").glob(f"{package}-*.dist-info"):
            return found.name.removeprefix(f"{package}-").removesuffix(".dist-info")
    del sys.modules["importlib.metadata"]
    from importlib.metadata import version

    return version(package)
