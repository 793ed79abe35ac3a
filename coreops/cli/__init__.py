"""The command line. One file per command; a command's file is imported only when that command is called.

Knows flags, wiring, and how an outcome becomes text and an exit code. Must not know how anything is done. Importing
this package imports nothing else, so that ``coreops --help`` costs little more than the interpreter.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """The ``coreops`` program: dispatch ``sys.argv`` and end with an exit code of ``coreops.errors.ExitCode``."""
    import gc
    import sys

    # What importing makes is not garbage; looking for some takes a tenth of its time.
    gc.set_threshold(20_000, 50, 100)
    _want_no_plugins()

    from coreops.cli._dispatch import dispatch

    sys.exit(dispatch(sys.argv[1:]))


def _want_no_plugins() -> None:
    """Keep pydantic from looking for plugins of its own among all installed packages; coreops uses none."""
    import sys
    from types import ModuleType
    from typing import Any

    loader: Any = ModuleType("pydantic.plugin._loader")
    loader.get_plugins = lambda: ()
    sys.modules.setdefault(loader.__name__, loader)
