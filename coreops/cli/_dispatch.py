"""From argv to an exit code: the one place where outcomes, errors, interrupts and bugs are told apart."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from coreops.errors import CoreopsError, ExitCode, InterruptedRun

COMPLETE_VAR = "_COREOPS_COMPLETE"


def dispatch(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code. Nothing but SystemExit of shell completion gets out."""
    as_json = "--json" in argv[: argv.index("--")] if "--" in argv else "--json" in argv
    try:
        code = _call(argv, as_json)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader has left; what it did not want to read is not worth a word, but the output is incomplete.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return _show(InterruptedRun("interrupted", next="run the same command again"), as_json)
    except Exception as error:
        return _show(error, as_json)


def _show(error: Exception, as_json: bool) -> int:
    from coreops.cli import _errors

    if isinstance(error, OSError):
        error = _errors.from_os_error(error) or error
    if isinstance(error, CoreopsError):
        return _errors.show(error, as_json=as_json)
    return _errors.show_bug(error, as_json=as_json)


def _call(argv: Sequence[str], as_json: bool) -> int:
    from typer import Abort, Exit
    from typer.exceptions import TyperException

    from coreops.cli._group import root

    command: Any = root()
    if COMPLETE_VAR in os.environ:
        command.main(list(argv), prog_name="coreops", complete_var=COMPLETE_VAR)
    try:
        with command.make_context("coreops", list(argv)) as context:
            outcome = command.invoke(context)
    except Exit as stop:
        return stop.exit_code
    except (Abort, EOFError) as stop:
        raise InterruptedRun("stopped at a question", next="run the same command again") from stop
    except TyperException as error:
        from coreops.cli._errors import show_usage

        return show_usage(error, as_json=as_json)
    return int(outcome) if isinstance(outcome, int) else ExitCode.DONE
