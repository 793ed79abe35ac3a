"""Attributes for all that is below a path, in sh: find what differs, set it. Links keep their own mode."""

from __future__ import annotations

from coreops.modules import sh
from coreops.modules.attributes import Attributes
from coreops.modules.mode import Change
from coreops.shell.quote import q


def apply(args: Attributes, paths: str) -> str:
    """Give everything at and below ``paths`` (quoted words) the attributes."""
    lines = []
    if args.owner is not None or args.group is not None:
        owner = f"{args.owner or ''}{':' + args.group if args.group else ''}"
        lines.append(f"find -H {paths} -exec chown -h -- {q(owner)} {{}} +\n")
    if args.mode is not None:
        lines.append(f"find -H {paths} ! -type l -exec chmod -- {q(sh.chmod_word(args.mode))} {{}} +\n")
    return "".join(lines)


def differs(args: Attributes) -> str:
    """A find expression for what does not have the attributes."""
    names = (("-user", args.owner), ("-group", args.group))
    tests = [f"! {flag} {q(name)}" for flag, name in names if name is not None]
    if args.mode is not None:
        cases = (
            ("-type d", args.mode.folder),
            ("! -type d ! -type l \\( -perm -100 -o -perm -010 -o -perm -001 \\)", args.mode.executable),
            ("! -type d ! -type l ! -perm -100 ! -perm -010 ! -perm -001", args.mode.plain),
        )
        if args.mode.exact is not None:
            cases = (("! -type l", args.mode.plain),)  # type: ignore[assignment]
        tests += [f"{case} {_wrong(change)}" for case, change in cases if change.clear]
    return "\\( " + " -o ".join(tests) + " \\)" if tests else "-name /"


def _wrong(change: Change) -> str:
    """A find expression for a file whose mode the change would alter."""
    gone = change.clear & ~change.set
    if gone | change.set == 0o7777:
        return f"! -perm {change.set:04o}"
    tests = [f"! -perm -{change.set:04o}"] if change.set else []
    tests += [f"-perm -{1 << bit:04o}" for bit in range(12) if gone >> bit & 1]
    return "\\( " + " -o ".join(tests) + " \\)"
