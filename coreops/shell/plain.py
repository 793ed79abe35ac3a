"""Tells the scripts that need no shell: one program and its arguments, all plain words. Pure.

Such a command runs the same whether a shell reads it or not, which saves the node a process. In doubt it is not plain.
"""

from __future__ import annotations

import re

_COMMAND = re.compile(r"([A-Za-z0-9_./][A-Za-z0-9_@%+:,./-]*)(?: [A-Za-z0-9_@%+=:,./-]+)*", re.ASCII)

# What dash, bash, busybox ash and ksh do themselves, or read as syntax.
_THE_SHELLS_OWN = """
. alias autoload bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc
declare dirs disown do done echo elif else enable end esac eval exec exit export false fc fg fi float for
foreach function functions getopts hash help history if in inlib integer jobs kill let limit local logout
mapfile nameref nohup popd print printf pushd pwd r read readarray readonly redirect rehash repeat return select
set setopt shift shopt sleep source stop suspend test then time times trap true type typeset ulimit umask
unalias unlimit unset unsetopt until wait whence where which while
"""
_OWN = frozenset(_THE_SHELLS_OWN.split())


def is_plain(script: str) -> bool:
    """Is this one command of plain words, for a program rather than for the shell?"""
    match = _COMMAND.fullmatch(script)
    return match is not None and match[1] not in _OWN
