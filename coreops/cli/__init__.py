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
    gc.set_threshold(100_000, 50, 100)
    _have_streams()
    _want_no_plugins()
    _want_no_kms()

    from coreops.cli._dispatch import dispatch

    _leave(dispatch(sys.argv[1:]))


def _leave(code: int) -> None:
    """End the process. All that was promised for its end is done; taking its memory apart object by object is not."""
    import atexit
    import os
    import sys
    import threading

    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by who started us
                stream.flush()
    except OSError:
        sys.exit(code)  # the interpreter knows how to complain about that
    os._exit(code)


def _have_streams() -> None:
    """Open on nothing what whoever started us has closed, lest a connection get the number of stdout."""
    import os
    import sys

    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))


def _want_no_plugins() -> None:
    """Keep pydantic from looking for plugins of its own among all installed packages; coreops uses none."""
    import sys
    from types import ModuleType
    from typing import Any

    loader: Any = ModuleType("pydantic.plugin._loader")
    loader.get_plugins = lambda: ()
    sys.modules.setdefault(loader.__name__, loader)


def _want_no_kms() -> None:
    """Keep TUF's signers from importing boto3 where EC2 has it installed: channels are signed with keys in files."""
    import sys
    from types import ModuleType
    from typing import Any

    signer: Any = ModuleType("securesystemslib.signer._aws_signer")
    signer.AWSSigner = type("AWSSigner", (), {"SCHEME": "awskms"})
    sys.modules.setdefault(signer.__name__, signer)
