"""Attributes for all that is below a path, in sh: find what differs, set it. Links keep their own mode."""

from __future__ import annotations

from coreops.modules.attributes import Attributes
from coreops.modules.mode import Change, Mode
from coreops.shell.quote import q

ALL = 0o7777


def apply(args: Attributes, paths: str) -> str:
    """Give everything at and below ``paths`` (quoted words) the attributes."""
    lines = []
    if args.owner is not None or args.group is not None:
        owner = f"{args.owner or ''}{':' + args.group if args.group else ''}"
        lines.append(f"find -H {paths} -exec chown -h -- {q(owner)} {{}} +\n")
    for case, change in _cases(args.mode):
        word = f"{change.set:05o}" if change.clear == ALL else q(change.word)
        lines.append(f"find -H {paths} {case} -exec chmod -- {word} {{}} +\n")
    return "".join(lines)


def differs(args: Attributes) -> str:
    """A find expression for what does not have the attributes."""
    names = (("-user", args.owner), ("-group", args.group))
    tests = [f"! {flag} {q(name)}" for flag, name in names if name is not None]
    tests += [f"{case} {_wrong(change)}" for case, change in _cases(args.mode)]
    return "\\( " + " -o ".join(tests) + " \\)" if tests else "-name /"


def _cases(mode: Mode | None) -> list[tuple[str, Change]]:
    """Find expressions, and what the mode does to what they find. Executables come last: the others keep their x."""
    if mode is None:
        return []
    if mode.exact is not None:
        return [("! -type l", mode.plain)]
    cases = [
        ("-type d", mode.folder),
        ("! -type d ! -type l ! -perm -100 ! -perm -010 ! -perm -001", mode.plain),
        ("! -type d ! -type l \\( -perm -100 -o -perm -010 -o -perm -001 \\)", mode.executable),
    ]
    return [(case, change) for case, change in cases if change.clear]


def _wrong(change: Change) -> str:
    """A find expression for a file whose mode the change would alter."""
    gone = change.clear & ~change.set
    if gone | change.set == 0o7777:
        return f"! -perm {change.set:04o}"
    tests = [f"! -perm -{change.set:04o}"] if change.set else []
    tests += [f"-perm -{1 << bit:04o}" for bit in range(12) if gone >> bit & 1]
    return "\\( " + " -o ".join(tests) + " \\)"
