"""Segment -> POSIX sh. Pure. The golden files in ``tests/shell/golden`` show what comes out.

Steps are numbered from 1 within their segment. Consecutive FileSteps share one probe, as long as none of them can
change what the probe of another one saw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from coreops.errors import InputError
from coreops.model import FileStep, Segment, ShellStep
from coreops.shell.plain import is_plain
from coreops.shell.quote import q

MAX_BATCH = 100  # dash copies the argument list whenever one is added
MAX_SCRIPT = 120_000  # MAX_ARG_STRLEN is 131072; blob paths and the variable's name need some of it

_TYPE = {"file": "8", "directory": "4"}
_TYPE_BITS = {"file": 0o100000, "directory": 0o040000}


def compile_segment(segment: Segment) -> str:
    """Return the sh text of a segment; prelude.sh (with FileSteps also files.sh and contents.sh) must be there.

    Raises InputError for a value that no shell can carry (NUL) or a step that would be a disaster (removing ``/``).
    """
    return "".join(_lines(segment))


def has_files(segment: Segment) -> bool:
    """Say whether the segment needs files.sh and contents.sh."""
    return any(isinstance(step, FileStep) for step in segment.steps)


def _lines(segment: Segment) -> Iterator[str]:
    yield f"co_start {q('1' if segment.check else '')} {q('1' if segment.diff else '')}\n"
    batch = _Batch()
    for index, step in enumerate(segment.steps, start=1):
        if isinstance(step, FileStep):
            if batch.kinds and (len(batch.kinds) >= MAX_BATCH or batch.interferes(step)):
                yield "co_files\n"
                batch = _Batch()
            yield _file(index, step)
            batch.add(step)
            continue
        if batch.kinds:
            yield "co_files\n"
            batch = _Batch()
        yield _shell(index, step)
    if batch.kinds:
        yield "co_files\n"
    yield "co_finish\n"


class _Batch:
    """The paths of FileSteps that share one probe, and the folders above them."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}
        self._above: set[str] = set()

    def add(self, step: FileStep) -> None:
        path = step.path.rstrip("/")
        self.kinds[path] = step.kind
        self._above.update(_above(path))

    def interferes(self, step: FileStep) -> bool:
        """Could an earlier step change what is seen at this step's path? A new folder above it cannot."""
        path = step.path.rstrip("/")
        if path in self.kinds or path in self._above:
            return True
        return any(self.kinds.get(folder, "directory") != "directory" for folder in _above(path))


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _file(index: int, step: FileStep) -> str:
    path = step.path.rstrip("/") or ("/" if step.kind == "directory" and step.path else "")
    if not path:
        raise InputError(f"{step.path!r} cannot be made {step.kind}", where=step.title, next="name a path below /")
    if not path.startswith("/"):
        raise InputError(f"{step.path!r} is not an absolute path", where=step.title, next="begin it with /")
    content = step.content
    mode, umask = _mode(step)
    flags = "".join(
        letter
        for letter, on in {
            "i": step.ignore_errors,
            "l": step.follow,
            "n": not step.force,
            "s": step.secret,
        }.items()
        if on
    )
    words = [
        q(path),
        step.kind,
        q(_wanted(step)) if step.kind in _TYPE else "-",
        content.sha256 if content else "-",
        str(content.size) if content else "0",
        mode,
        umask,
        q(step.owner or "-"),
        q(step.group or "-"),
        flags or "-",
        q(step.target or "-"),
    ]
    return f"co_f {index} {' '.join(words)}\n"


def _mode(step: FileStep) -> tuple[str, str]:
    """(mode as octal or "-", umask that gives a new file this mode or "-" when only chmod can)."""
    if step.mode is None:
        return "-", "022"
    if step.kind == "file" and not step.mode & ~0o666:
        return f"{step.mode:04o}", f"{0o666 & ~step.mode:03o}"
    # chmod keeps a folder's setuid and setgid bits unless the mode has five digits (coreutils, "Directories and the
    # set-user-ID and set-group-ID bits").
    return f"{step.mode:05o}" if step.kind == "directory" else f"{step.mode:04o}", "-"


def _wanted(step: FileStep) -> str:
    """A case pattern for co_stat's line: ``%f:a%a:s%s:u%u:U%U:g%g:G%G``."""
    kind = f"{_TYPE_BITS[step.kind] | step.mode:x}" if step.mode is not None else f"{_TYPE[step.kind]}???"
    return f"{kind}:a*:s*:{_name(step.owner, 'u')}:{_name(step.group, 'g')}"


def _name(name: str | None, letter: str) -> str:
    if name is None:
        return f"{letter}*:{letter.upper()}*"
    if name.isascii() and name.isdigit():
        return f"{letter}{name}:{letter.upper()}*"
    return f"{letter}*:{letter.upper()}{_literal(name)}"


def _literal(text: str) -> str:
    """Escape what a case pattern would take for a wildcard."""
    return "".join(f"\\{c}" if c in "\\*?[" else c for c in text)


def _shell(index: int, step: ShellStep) -> str:
    export = "".join(f"export {name}={q(value)}\n" for name, value in step.env.items())
    if step.stdin is not None and (step.blobs or step.once or step.act is None):
        raise InputError("a step that reads a stream is an act, without other content, and may be sent again")
    flags = "".join(
        letter
        for letter, on in {
            "c": step.in_check,
            "i": step.ignore_errors,
            "k": not step.changes,
            "o": step.once,
            "s": step.stdin is not None,
            "w": bool(step.act) and not (step.env or step.blobs or step.stdin) and is_plain(step.act or ""),
        }.items()
        if on
    )
    words = [
        str(index),
        q(step.id),
        str(max(1, math.ceil(step.timeout))),
        flags or "-",
        q(step.cwd),
        _script(step, export, step.probe),
        _script(step, export, step.act),
        *(str(blob.size) for blob in step.blobs),
    ]
    return f"co_shell {' '.join(words)}\n"


def _script(step: ShellStep, export: str, text: str | None) -> str:
    if text is None:
        return "-"
    whole = export + text
    if len(whole.encode()) > MAX_SCRIPT:
        raise InputError(
            f"its script is longer than {MAX_SCRIPT} bytes",
            where=step.title,
            why="Linux takes no more in one variable of a process (MAX_ARG_STRLEN)",
            next="put the text into a file (copy), and run that",
        )
    return q(whole)
