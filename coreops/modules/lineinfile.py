"""lineinfile: one line of a text file, found by a pattern. The node reads, decides and writes; nothing travels."""

from __future__ import annotations

from collections.abc import Sequence

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers, sh
from coreops.modules.base import Context, Module
from coreops.modules.declared import argument
from coreops.modules.lines import EDIT, Place
from coreops.modules.placing import Placing
from coreops.modules.regex import expand, translate
from coreops.modules.results import backup_file, is_changed, outcome, text


def _one_line(value: str) -> str:
    if "\n" in value or "\r" in value:
        raise ValueError("is one line; whole texts are for copy and template")
    return value


_line = readers.text.then(_one_line)


class LineArguments(Placing):
    path = argument(readers.node_path, aliases=("dest", "destfile", "name"), description="The file, an absolute path.")
    line = argument(_line, None, aliases=("value",), description="The line. With `backrefs` it may hold `\\1`.")
    regexp = argument(
        _line,
        None,
        aliases=("regex",),
        description="Which line to replace (the last match) or, with `absent`, which lines to remove.",
    )
    search_string = argument(_line, None, description="Like `regexp`, but a plain text.")
    state = argument(readers.choice("present", "absent"), "present", description="Is there such a line?")
    insertafter = argument(_line, None, description="Where a new line goes: after the last match of this, or `EOF`.")
    insertbefore = argument(_line, None, description="Where a new line goes: before the last match of this, or `BOF`.")
    firstmatch = argument(readers.boolean, False, description="The first match counts instead of the last.")
    backrefs = argument(
        readers.boolean, False, description="`line` refers to groups of `regexp`; without a match nothing is done."
    )
    create = argument(readers.boolean, False, description="Make the file when it is missing.")

    def check(self) -> None:
        if self.path.endswith("/"):
            raise ValueError(f"{self.path!r} is a folder")
        if self.regexp is not None and self.search_string is not None:
            raise ValueError("takes regexp or search_string, one of them")
        if self.insertafter is not None and self.insertbefore is not None:
            raise ValueError("takes insertafter or insertbefore, one of them")
        if self.state == "present" and self.line is None:
            raise ValueError("state present needs line")
        if self.state == "absent" and self.line is None and self.regexp is None and self.search_string is None:
            raise ValueError("state absent needs line, regexp or search_string")
        if self.backrefs and self.regexp is None:
            raise ValueError("backrefs needs regexp")
        if self.search_string == "" or self.regexp == "":
            raise ValueError("an empty regexp or search_string matches every line")
        self.place()

    def place(self) -> Place:
        """What the node is to do. Raises ValueError for a pattern that it could not."""
        removing = self.state == "absent"
        found = translate(self.regexp, captures=self.backrefs and not removing) if self.regexp is not None else None
        where = self.insertbefore if self.insertbefore is not None else self.insertafter
        near = translate(where) if where not in (None, "EOF", "BOF") and where is not None else None
        mode = {"BOF": "bof", "EOF": "eof", None: "eof"}.get(
            where, "before" if self.insertbefore is not None else "after"
        )
        return Place(
            state=self.state,
            line=self.line or "",
            pattern=found.text if found else self.search_string or "",
            how=("regexp" if found else "string" if self.search_string is not None else "line"),
            icase=bool(found and found.ignore_case),
            near=near.text if near else "",
            near_icase=bool(near and near.ignore_case),
            where=mode,
            pick="head" if self.firstmatch else "tail",
            replacement=expand(found, self.line or "") if found and self.backrefs and not removing else "",
            create=self.create,
        )


class LineInFile(Module[LineArguments]):
    """Makes sure that a line is in a file, or is not."""

    name = "lineinfile"
    summary = "One line of a text file: there, replaced or removed"
    arguments = LineArguments
    example = """\
- name: No passwords over SSH
  lineinfile:
    path: /etc/ssh/sshd_config
    regexp: '^#?PasswordAuthentication\\s'
    line: PasswordAuthentication no
    validate: sshd -t -f %s
"""

    def steps(self, args: LineArguments, context: Context) -> Sequence[Step]:
        place = args.place()
        shared = args.holds() + sh.FOLLOW + place.script()
        return [
            context.step(
                probe=sh.probe(sh.FAIL, shared, _PROBE, dest=args.path, **place.values()),
                act=sh.act(args.writing(), shared, _ACT, dest=args.path, **place.values()),
            )
        ]

    def result(self, args: LineArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        message = diff = ""
        if records and is_changed(records):
            said = [line for line in text(records[0].before).splitlines() if line]
            message = said[0] if said else ""
            diff = f"--- {args.path}\n+++ {args.path}\n" + "".join(f"{line}\n" for line in said[1:])
        return outcome(records, backup_file(records), message=message, diff=diff if context.diff else "")


_PROBE = (
    EDIT
    + """\
if [ ! -e "$dest" ]; then
  [ "$state" = present ] || exit 0
  [ "$create" = True ] || fail "$dest does not exist; create: true would make it"
fi
look
if [ -n "$todo" ]; then
  tell
  exit 1
fi
[ ! -e "$dest" ] || attributes_hold "$dest"
"""
)
_ACT = (
    EDIT
    + """\
look
if [ -z "$todo" ]; then
  set_attributes "$dest"
  exit
fi
[ -d "${dest%/*}/" ] || mkdir -p -- "${dest%/*}"
"""
    + sh.TEMPORARY
    + """\
edit >"$tmp"
place "$tmp" "$dest"
"""
)
