"""How errors look: four parts on stderr, a JSON object on stdout with ``--json``; a bug's traceback goes to a file."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

from coreops.errors import CoreopsError, ExitCode
from coreops.report.text import clean

# What the machine is to blame for, not coreops.
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.EIO}


def show(error: CoreopsError, *, as_json: bool) -> int:
    """Show an error; return its exit code."""
    print(clean(f"coreops: {error}"), file=sys.stderr)
    if as_json:
        _print_json(
            type(error).__name__,
            error.exit_code,
            what=error.what,
            where=error.where,
            why=error.why,
            next=error.next,
            kind=getattr(error, "kind", None),
        )
    return error.exit_code


def show_usage(error: Any, *, as_json: bool) -> int:
    """Show a usage error of the option parser (a ``typer.exceptions.TyperException``)."""
    error.show(file=sys.stderr)
    if as_json:
        _print_json("UsageError", ExitCode.BAD_INPUT, what=error.format_message())
    return ExitCode.BAD_INPUT


def from_os_error(error: OSError) -> CoreopsError | None:
    """An OSError that the operator can mend, as an error for the operator; None for one that looks like a bug."""
    if error.errno not in _MACHINE:
        return None
    return CoreopsError(
        "this machine refused a file operation",
        where=error.filename,
        why=error.strerror,
        next="free the space, raise the limit or fix the permissions, then run the same command again",
    )


def show_bug(error: Exception, *, as_json: bool) -> int:
    """Say that this is a bug, and keep the traceback in a file."""
    import traceback

    text = "".join(traceback.format_exception(error))
    what = f"bug in coreops: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")
    path = _save(text)
    print(clean(f"coreops: {what} (traceback in {path}; --debug shows it)"), file=sys.stderr)
    if os.environ.get("COREOPS_DEBUG"):
        print(clean(text), file=sys.stderr)
    if as_json:
        _print_json("Bug", ExitCode.FAILED, what=what, where=str(path))
    return ExitCode.FAILED


def _save(text: str) -> Path:
    import tempfile
    import time

    name = f"bug-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    for folder in (Path(".coreops"), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            path = folder / name
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", errors="replace") as stream:
                stream.write(text)
        except OSError:
            continue  # a read-only or full working directory: the next folder may do
        return path
    sys.stderr.write(clean(text))
    return Path(os.devnull)


def _print_json(error: str, code: int, **parts: str | None) -> None:
    known = {name: value for name, value in parts.items() if value is not None}
    print(json.dumps({"event": "error", "error": error, "exit_code": int(code), **known}))
