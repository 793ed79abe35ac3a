"""Content that becomes a file: what copy and template share. A FileStep where one says it all, sh where not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coreops.model import Blob, FileStep, Record, Step, TaskResult
from coreops.modules import readers, sh
from coreops.modules.attributes import Attributes
from coreops.modules.base import Context
from coreops.modules.declared import argument
from coreops.modules.results import backup_file, file_diff, is_changed, outcome

IN_MEMORY = 1 << 20


class Placing(Attributes):
    """The arguments of modules that write one file."""

    backup = argument(readers.boolean, False, description="Keep the old file beside it, with the time in its name.")
    validate = argument(
        readers.text.then(sh.check_validate),
        None,
        description="A command that must succeed before the file is put in its place; `%s` is the new file.",
    )

    def writing(self) -> str:
        """The sh functions that put a new file in its place."""
        return sh.placing(self.mode, self.owner, self.group, validate=self.validate, backup=self.backup)


def place(
    context: Context, args: Placing, dest: str, blob: Blob, *, id: str, force: bool = True, follow: bool = False
) -> list[Step]:
    """The steps that make ``dest`` hold the blob with the attributes of ``args``."""
    if args.validate is None and not args.backup and not args.symbolic:
        return [
            FileStep(
                id=id,
                title=context.title,
                path=dest,
                kind="file",
                content=blob,
                mode=args.bits,
                owner=args.owner,
                group=args.group,
                follow=follow,
                force=force,
            )
        ]
    follow_link = sh.FOLLOW if follow else ""
    shared = sh.FAIL + args.holds(follow=follow)
    probe = sh.probe(shared, follow_link, _PROBE, dest=dest, sum=blob.sha256, force=str(force))
    # Content that is right already is not written again: backup and validate are for new content.
    act = sh.act(args.writing(), follow_link, _ACT, dest=dest, sum=blob.sha256, force=str(force))
    return [
        context.step(
            id=id,
            probe=probe,
            act=act,
            blobs=(blob,),
        )
    ]


def placed(
    context: Context, args: Placing, steps: Sequence[Step], records: Sequence[Record], data: dict[str, Any]
) -> TaskResult:
    """The result of ``place``."""
    data |= args.told()
    diffs = []
    for step, record in zip(steps, records, strict=False):
        if context.diff and is_changed([record]):
            diffs.append(file_diff(step, record) if isinstance(step, FileStep) else f"# {data['dest']}: replaced\n")
    return outcome(records, data | backup_file(records), diff="".join(diffs))


_PROBE = """\
[ ! -d "$dest" ] || fail "$dest is a directory; end dest with / to put the file into it"
[ -e "$dest" ] || exit 1
[ "$force" = False ] || [ "$(sha256sum <"$dest" | cut -c 1-64)" = "$sum" ] || exit 1
attributes_hold "$dest"
"""
_ACT = """\
if [ -e "$dest" ] && { [ "$force" = False ] || [ "$(sha256sum <"$dest" | cut -c 1-64)" = "$sum" ]; }; then
  set_attributes "$dest"
  exit
fi
[ -d "${dest%/*}/" ] || fail "its folder does not exist: $dest"
""" + (
    sh.TEMPORARY
    + """\
# shellcheck disable=SC2154 # the loader sets blob1
cat "$blob1" >"$tmp"
place "$tmp" "$dest"
"""
)
