"""group: a group of the node's own database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coreops.model import Record, Step, TaskResult
from coreops.modules import accounts, readers, sh
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument
from coreops.modules.results import outcome


class GroupArguments(Arguments):
    name = argument(readers.name, description="Its name.")
    gid = argument(readers.integer(at_least=0), None, description="Its number. Default: the next free one.")
    state = argument(readers.choice("present", "absent"), "present", description="Is there such a group?")
    system = argument(readers.boolean, False, description="A new group gets a number from the system's range.")
    non_unique = argument(readers.boolean, False, description="`gid` may belong to another group as well.")


class Group(Module[GroupArguments]):
    """Makes, changes and removes groups."""

    name = "group"
    summary = "Make and remove groups"
    arguments = GroupArguments
    example = """\
- name: The group of etcd
  group:
    name: etcd
    system: true
"""

    def steps(self, args: GroupArguments, context: Context) -> Sequence[Step]:
        values = {"name": args.name, "gid": "" if args.gid is None else str(args.gid)}
        if args.state == "absent":
            probe = sh.probe(accounts.ENTRY, '[ -z "$(entry group "$name")" ]\n', name=args.name)
            act = sh.act('groupdel -- "$name"\n', name=args.name)
        else:
            options = ("--system " if args.system else "") + ("--non-unique " if args.non_unique else "")
            modify = "--non-unique " if args.non_unique else ""
            probe = sh.probe(accounts.ENTRY, _PROBE, **values)
            act = sh.act(accounts.ENTRY, _ACT.replace("@add@", options).replace("@mod@", modify), **values)
        return [
            context.step(
                probe=probe,
                act=act,
            )
        ]

    def result(self, args: GroupArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        data: dict[str, Any] = {"name": args.name, "state": args.state, "system": args.system}
        if args.gid is not None:
            data["gid"] = args.gid
        return outcome(records, data)


_PROBE = """\
is=$(entry group "$name")
[ -n "$is" ] || exit 1
is=${is#*:*:}
[ -z "$gid" ] || [ "${is%%:*}" = "$gid" ]
"""
_ACT = """\
if [ -n "$(entry group "$name")" ]; then
  groupmod @mod@--gid "$gid" -- "$name"
else
  groupadd @add@${gid:+--gid "$gid"} -- "$name"
fi
"""
