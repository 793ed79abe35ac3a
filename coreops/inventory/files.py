"""Reads the controller's files for the inventory: text with clear errors, and which files of a folder count."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from coreops.errors import InputError
from coreops.model import Position

_IGNORED_NAMES = re.compile(
    r"\..*|host_vars|group_vars|vars_plugins|known_hosts.*|ssh_config|pki|keys|id_[a-z0-9]+|.*\.lock\.ya?ml|(?:.*[-_.])?root\.json"
    r"|.*(?:~|\.(?:pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|retry|lock|log|pub|pem|key|crt|csr|tmp"
    r"|deb|tar|tgz|txz|tbz2?|tzst|gz|xz|bz2|zst|lz4|zip|7z|iso|img|raw|qcow2|sha(?:1|256|512)(?:sums?)?|asc|sig))"
)
_NOT_INVENTORY = re.compile(rb"-----BEGIN |ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-")
_PROGRAM = re.compile(rb"#!|\x7fELF")
_DATA_SUFFIXES = (".yml", ".yaml", ".json", ".ini")
MOST = 16 * 2**20
"""Bytes of a file: enough for 100,000 hosts, and read within a minute."""


def inventory_files(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the files of an inventory folder in name order, deep, without those that are no inventory."""
    here = folder.resolve()
    if here in above:  # a symbolic link to a folder we are in
        return
    try:
        children = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise cannot_read(folder, error) from None
    for path in children:
        if _IGNORED_NAMES.fullmatch(path.name):
            continue
        if path.is_dir():
            yield from inventory_files(path, above | {here})
        elif path.is_file() and not _NOT_INVENTORY.match(read_bytes(path, 16)):
            yield path
        elif path.is_symlink() and not path.exists():
            raise InputError("a broken link", where=Position(str(path)), next="repair or remove it")


def read_inventory(path: Path) -> str:
    """Return the text of an inventory file. A program is refused, not run."""
    data = read_bytes(path, MOST + 1)
    if len(data) > MOST:
        raise InputError(
            f"more than {MOST // 2**20} MiB",
            where=Position(str(path)),
            next="write hosts as ranges (n[1:500]), or split it: a folder of files is an inventory too",
        )
    executable = os.access(path, os.X_OK) and path.suffix not in _DATA_SUFFIXES
    if executable or _PROGRAM.match(data):
        raise InputError(
            "Ansible's dynamic inventories are not supported yet",
            where=Position(str(path)),
            why="the file is executable" if executable else "the file is a program",
            next="save its output (`ansible-inventory --list --export --yaml`) as *.yml; `chmod -x` a data file",
        )
    return _decode(path, data)


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text. Raises InputError."""
    return _decode(path, read_bytes(path))


def _decode(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        where = Position(str(path), line, column)
        raise InputError("not UTF-8 text", where=where, why=error.reason, next="save the file as UTF-8") from None
    if (nul := text.find("\0")) >= 0:
        where = Position(str(path), text.count("\n", 0, nul) + 1, nul - (text.rfind("\n", 0, nul) + 1) + 1)
        raise InputError("a NUL character in a text file", where=where, next="remove it")
    return text


def expand_home(path: Path) -> Path:
    """Resolve a leading ``~``; leave ``~name`` for a name that the system does not know."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def read_bytes(path: Path, size: int = -1) -> bytes:
    """Return the first ``size`` bytes of a file, or all. Raises InputError."""
    try:
        with path.open("rb") as stream:
            return stream.read(size)
    except OSError as error:
        raise cannot_read(path, error) from None


def cannot_read(path: Path, error: OSError) -> InputError:
    """Say why a path cannot be read."""
    return InputError("cannot read", where=Position(str(path)), why=error.strerror or str(error))
