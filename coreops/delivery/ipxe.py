"""A script for iPXE: kernel, initrds, and the kernel arguments that say where the user-data is.

iPXE has no quoting: it splits at blanks, ends a command at a lone ``;`` ``&&`` ``||``, takes a word that begins with
``#`` for a comment and replaces ``${setting}`` everywhere. What would not survive that is refused.
"""

from __future__ import annotations

import re
from typing import Final

from coreops.delivery.cmdline import LONGEST, arguments
from coreops.delivery.request import Boot, PackedFile, Request, safe_name
from coreops.delivery.seed import served
from coreops.errors import InputError

_SETTING: Final = re.compile(r"\$\{[A-Za-z0-9_./:-]+\}", re.ASCII)
_ENDS: Final = (";", "&&", "||")


def pack(request: Request) -> tuple[PackedFile, ...]:
    """Return NODE.ipxe, and the files that it names where --url is a folder. Raises InputError."""
    if request.boot is None:
        raise InputError("a boot script needs a kernel", next="--kernel URL, and mostly --initrd URL")
    url, files = served(request, settings=True)
    return (request.file(".ipxe", script(request.target, url, request.boot, request.node)), *files)


def script(target: str, url: str, boot: Boot, title: str = "coreops") -> str:
    """Return a script that boots ``boot`` and hands it the user-data at ``url``. Raises InputError.

    ``${net0/mac}`` and other settings of iPXE may stand in every URL and argument; iPXE fills them in.
    """
    names = [f"initrd{number or ''}" for number in range(len(boot.initrds))]
    words = [*(f"initrd={name}" for name in names), *arguments(target, url), *boot.arguments]
    for word in words:
        _check(word, "a kernel argument")
    for word in (boot.kernel, *boot.initrds):
        _check(word, "a URL", first=True)
    if len(line := " ".join(words)) > LONGEST:
        raise InputError(
            f"the kernel arguments are {len(line)} characters",
            why=f"Linux on x86 cuts them off after {LONGEST}",
            next="shorten the URLs or the arguments",
        )
    loads = [f"initrd --name {name} {where}\n" for name, where in zip(names, boot.initrds, strict=True)]
    return f"#!ipxe\n# {safe_name(title)}\nkernel {boot.kernel} {line}\n{''.join(loads)}boot\n"


def _check(word: str, what: str, *, first: bool = False) -> None:
    why = _trouble(word, first)
    if why:
        raise InputError(
            f"iPXE cannot take {what}: {word!r}", why=why, next="write it with %XX, as URLs allow" if first else None
        )


def _trouble(word: str, first: bool) -> str | None:
    rest = _SETTING.sub("", word)
    cases = (
        (not word, "it is empty"),
        (not word.isascii() or any(not 32 < ord(char) < 127 for char in word), "blanks and what is not ASCII split it"),
        ('"' in word, "the kernel reads a quote as the beginning of a longer word"),
        (word in _ENDS, "the command ends at it"),
        (word.startswith("#"), "the rest of the line would be a comment"),
        (word.endswith("\\"), "the next line would be taken for a part of this one"),
        (first and word.startswith("-"), "it would be taken for an option"),
        ("${" in rest, "${ begins a setting of iPXE, and this is none"),
    )
    return next((why for bad, why in cases if bad), None)
