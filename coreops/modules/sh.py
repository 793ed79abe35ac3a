"""Builds the sh text of probes and acts: variables first, then constant text. Knows no module.

Probes run under ``set -u`` and answer with 0, 1 or an error; acts run under ``set -eu``, so that the first command that
fails ends them with its own message.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from coreops.modules.mode import Change, Mode
from coreops.shell.quote import join, q

# fail MESSAGE: end a probe or an act as failed (a probe's 1 would mean "act is needed").
FAIL = """\
fail() {
  printf '%s\\n' "$1" >&2
  exit 2
}
"""

# place NEW DEST: the temporary file NEW becomes DEST, in one rename, with DEST's attributes or the wanted ones.
PLACE = """\
place() {
  if [ -e "$2" ]; then
    old=$(stat -L -c '%a %u:%g' -- "$2")
    chown -- "${old#* }" "$1"
    chmod -- "0${old%% *}" "$1"
  else
    chmod -- 0644 "$1"
  fi
  set_attributes "$1"
  validate "$1" || fail "the new content did not pass its validation; $2 is as it was"
  backup "$2"
  sync -- "$1" 2>/dev/null || sync
  mv -f -- "$1" "$2"
}
"""

# Sets tmp to a new file beside $dest that only its owner can read, and removes it whatever happens.
TEMPORARY = """\
tmp=$(mktemp -- "$dest.coreops.XXXXXX")
trap 'rm -rf -- "$tmp"' EXIT
trap 'exit 129' HUP INT TERM
"""

# Work on what a symbolic link points to.
FOLLOW = """\
[ ! -L "$dest" ] || dest=$(readlink -f -- "$dest") || fail "$dest is a broken symbolic link"
"""

_BACKUP = """\
backup() {
  [ -e "$1" ] || return 0
  backup_file="$1.$$.$(date +%Y-%m-%d@%H:%M:%S)~"
  cp -p -- "$1" "$backup_file"
  printf 'backup %s\\n' "$backup_file"
}
"""

_NO_BACKUP = """\
backup() { :; }
"""


def probe(*parts: str, **variables: str) -> str:
    """A probe's text."""
    return "set -u\n" + _assign(variables) + "".join(parts)


def act(*parts: str, **variables: str) -> str:
    """An act's text."""
    return "set -eu\n" + _assign(variables) + "".join(parts)


def _assign(variables: Mapping[str, str]) -> str:
    return "".join(f"{name}={q(value)}\n" for name, value in variables.items())


def attributes(mode: Mode | None, owner: str | None, group: str | None, *, follow: bool = True) -> str:
    """Two functions: ``attributes_hold PATH`` and ``set_attributes PATH``."""
    return holds(mode, owner, group, follow=follow) + sets(mode, owner, group, follow=follow)


def holds(mode: Mode | None, owner: str | None, group: str | None, *, follow: bool = True) -> str:
    """``attributes_hold PATH``: are mode, owner and group as wanted?"""
    tests = []
    if mode is not None:
        tests.append(f'[ "$1" = {mode.exact:o} ]' if mode.exact is not None else '[ "$((0$1))" = "$((0$wanted))" ]')
    if owner is not None:
        tests.append(f'{{ [ "$2" = {q(owner)} ] || [ "$3" = {q(owner)} ]; }}')
    if group is not None:
        tests.append(f'{{ [ "$4" = {q(group)} ] || [ "$5" = {q(group)} ]; }}')
    if not tests:
        return "attributes_hold() { :; }\n"
    wanted = "" if mode is None or mode.exact is not None else '  wanted=$(new_mode "$1") || exit 2\n'
    return (
        (_new_mode(mode) if mode is not None and mode.exact is None else "")
        + "attributes_hold() {\n"
        + wanted
        + f"  is=$(stat {'-L ' if follow else ''}-c '%a %u %U %g %G' -- \"$1\") || exit 2\n"
        + "  # shellcheck disable=SC2086 # five words\n  set -- $is\n"
        + "  "
        + " && ".join(tests)
        + "\n}\n"
    )


def sets(mode: Mode | None, owner: str | None, group: str | None, *, follow: bool = True) -> str:
    """``set_attributes PATH``. The owner first: chown takes set-uid bits away."""
    lines = []
    link = "" if follow else "-h "
    if owner is not None or group is not None:
        tool = "chown" if owner is not None else "chgrp"
        lines.append(f'{tool} {link}-- {q(":".join(part for part in (owner, group) if part is not None))} "$1"')
    if mode is not None:
        # Five digits: with fewer, GNU chmod leaves the set-gid bit of a folder.
        chmod = f'chmod -- {mode.exact:05o} "$1"' if mode.exact is not None else f'chmod -- "$({_word(mode)})" "$1"'
        lines.append(chmod if follow else f'[ -L "$1" ] || {chmod}')
    if not lines:
        return "set_attributes() { :; }\n"
    return "set_attributes() {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def _word(mode: Mode) -> str:
    """sh that prints what a symbolic mode is for "$1"."""
    words = [q(change.word) for change in (mode.folder, mode.executable, mode.plain)]
    return 'case $(stat -L -c %A -- "$1") in d*) echo {} ;; ?*[xst]*) echo {} ;; *) echo {} ;; esac'.format(*words)


def _new_mode(mode: Mode) -> str:
    def change(bits: Change) -> str:
        return f"clear=0{bits.clear:o} bits=0{bits.set:o}"

    return (
        "new_mode() {\n"
        '  m=$(stat -L -c %a -- "$1") || exit 2\n'
        f'  if [ -d "$1" ]; then\n    {change(mode.folder)}\n'
        f'  elif [ "$((0$m & 0111))" != 0 ]; then\n    {change(mode.executable)}\n'
        f"  else\n    {change(mode.plain)}\n  fi\n"
        "  printf '%05o\\n' \"$(((0$m & ~clear) | bits))\"\n"
        "}\n"
    )


def placing(mode: Mode | None, owner: str | None, group: str | None, *, validate: str | None, backup: bool) -> str:
    """All that ``place`` needs."""
    symbolic = _new_mode(mode) if mode is not None and mode.exact is None else ""
    return (
        FAIL + symbolic + sets(mode, owner, group) + validation(validate) + (_BACKUP if backup else _NO_BACKUP) + PLACE
    )


def validation(command: str | None) -> str:
    """``validate PATH`` from Ansible's ``validate:``, a command with ``%s`` for the path. Raises ValueError."""
    if command is None:
        return "validate() { :; }\n"
    words = [join_parts(word.split("%s")) for word in shlex.split(command)]
    return f"validate() {{ {' '.join(words)} >&2; }}\n"


def join_parts(parts: list[str]) -> str:
    """One word: the parts with ``"$1"`` between them."""
    return '"$1"'.join(join([part]) if part else "" for part in parts) or "''"


def check_validate(command: str | None) -> str | None:
    """For a module's arguments: can this be a ``validate:``? Raises ValueError."""
    if command is not None:
        if "%s" not in command:
            raise ValueError(f"{command!r} must hold %s, the place of the file to check")
        if not shlex.split(command):
            raise ValueError("is empty")
    return command
