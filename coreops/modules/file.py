"""file: a path exists in a state, with its attributes. Content is the business of copy and template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from coreops.errors import InputError
from coreops.model import FileStep, Record, Step, TaskResult
from coreops.modules import readers, sh, tree
from coreops.modules.attributes import Attributes
from coreops.modules.base import Context, Module
from coreops.modules.declared import argument
from coreops.modules.results import file_diff, is_changed, outcome


class FileArguments(Attributes):
    path = argument(readers.node_path, aliases=("dest", "name"), description="Absolute path.")
    state = argument(
        readers.choice("absent", "directory", "file", "hard", "link", "touch"),
        None,
        description="What is there. `file`: it must exist. `touch`: made empty when missing, times set. "
        "`absent`: removed, with all that is in it. Default: `directory` with `recurse`, else whatever is there.",
    )
    src = argument(
        readers.text, None, description="What a `link` (any path, may be relative) or `hard` link points to."
    )
    recurse = argument(readers.boolean, False, description="Give all that is below a directory the same attributes.")
    force = argument(readers.boolean, False, description="Let a link take the place of a file.")
    follow = argument(
        readers.boolean, True, description="Work on what a symbolic link points to (not for `link` and `absent`)."
    )
    modification_time = argument(
        readers.choice("now", "preserve"), None, description="With `touch`: set to now, or keep."
    )
    access_time = argument(readers.choice("now", "preserve"), None, description="With `touch`: set to now, or keep.")

    @classmethod
    def prepare(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        recursive = isinstance(raw, dict) and str(raw.get("recurse", "")).lower() in ("true", "yes", "on", "1")
        return {"state": "directory", **raw} if recursive and raw.get("state") is None else raw

    def check(self) -> None:
        linking = self.state in ("link", "hard")
        if linking and not self.src:
            raise ValueError(f"state {self.state} needs src, what to link to")
        if not linking and self.src is not None:
            raise ValueError("src is for state link and hard; copy takes files from the controller")
        if self.recurse and self.state != "directory":
            raise ValueError("recurse is for state directory")
        if self.state in ("absent", "link", "hard") and not self.path.strip("/"):
            raise ValueError(f"refusing to make / {self.state}")
        if self.state is None and self.mode is None and self.owner is None and self.group is None:
            raise ValueError("nothing to do; give a state, or mode, owner or group")


class File(Module[FileArguments]):
    """Makes directories and links, removes paths, sets attributes."""

    name = "file"
    summary = "Make directories and links, remove paths, set mode and owner"
    arguments = FileArguments
    example = """\
- name: The data directory of etcd
  file:
    path: /var/lib/etcd
    state: directory
    owner: etcd
    group: etcd
    mode: '0700'
"""

    def steps(self, args: FileArguments, context: Context) -> Sequence[Step]:
        path = args.path.rstrip("/") or "/"
        shell = args.state in (None, "hard", "touch") or args.recurse or args.symbolic
        if args.state == "absent" or (args.state == "link" and not args.symbolic) or not shell:
            return [_file_step(args, context, path)]
        if args.state == "link":
            raise InputError("file: a link has no symbolic mode", where=context.position, next="leave mode out")
        probe, act = _scripts(args, path)
        return [
            context.step(
                probe=probe,
                act=act,
            )
        ]

    def result(self, args: FileArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        key = "dest" if args.state in ("link", "hard") else "path"
        data: dict[str, Any] = {key: args.path.rstrip("/") or "/", "state": args.state or "file"}
        data |= args.told() | ({"src": args.src} if args.src else {})
        diff = ""
        if context.diff and records and is_changed(records):
            step = self.steps(args, context)[0]
            diff = file_diff(step, records[0]) if isinstance(step, FileStep) else f"# {args.path}: {step.title}\n"
        return outcome(records, data, diff=diff)


def _file_step(args: FileArguments, context: Context, path: str) -> FileStep:
    kind = cast(Literal["absent", "directory", "file", "link"], args.state)
    link = kind == "link"
    return FileStep(
        id=context.id,
        title=context.title,
        path=path,
        kind=kind,
        target=args.src,
        mode=None if link or kind == "absent" else args.bits,
        owner=None if link else args.owner,
        group=None if link else args.group,
        follow=args.follow and kind in ("directory", "file"),
        force=args.force or not link,
    )


def _scripts(args: FileArguments, path: str) -> tuple[str, str]:
    """(probe, act) of what no FileStep can say."""
    shared = sh.FAIL + sh.attributes(args.mode, args.owner, args.group, follow=args.follow)
    if args.recurse:
        differs = tree.differs(args)
        probe = sh.probe(sh.FAIL, _RECURSE_PROBE % (differs, differs), dest=path)
        return probe, sh.act('mkdir -p -- "$dest"\n', tree.apply(args, '"$dest"'), dest=path)
    if args.state == "hard":
        values = {"dest": path, "src": args.src or ""}
        return sh.probe(shared, _HARD_PROBE, **values), sh.act(shared, _HARD_ACT, force=str(args.force), **values)
    if args.state == "touch":
        keep = args.modification_time == args.access_time == "preserve"
        options = ""
        if "preserve" in (args.modification_time, args.access_time) and not keep:
            options = "-a " if args.modification_time == "preserve" else "-m "
        touch = f'touch {options}-- "$dest"'
        act = _TOUCH_ACT % (f'[ -e "$dest" ] || : >"$dest"\n{"" if keep else touch}')
        return sh.probe(shared, _TOUCH_PROBE if keep else "exit 1\n", dest=path), sh.act(shared, act, dest=path)
    if args.state == "directory":
        return sh.probe(shared, _DIRECTORY_PROBE, dest=path), sh.act(shared, _DIRECTORY_ACT, dest=path)
    body = _ANY_PROBE if args.state is None else _ANY_PROBE + '[ -f "$dest" ] || fail "$dest is not a regular file"\n'
    body += 'attributes_hold "$dest"\n'
    return sh.probe(shared, body, dest=path), sh.act(shared, 'set_attributes "$dest"\n', dest=path)


_ANY_PROBE = '[ -e "$dest" ] || [ -L "$dest" ] || fail "$dest does not exist; say with state what to make"\n'
_DIRECTORY_PROBE = """\
[ -d "$dest" ] || { [ ! -e "$dest" ] || fail "$dest exists and is not a directory"; exit 1; }
attributes_hold "$dest"
"""
_DIRECTORY_ACT = """\
[ -d "$dest" ] || mkdir -p -- "$dest"
set_attributes "$dest"
"""
_RECURSE_PROBE = """\
[ -d "$dest" ] || { [ ! -e "$dest" ] || fail "$dest exists and is not a directory"; exit 1; }
find -H "$dest" -prune %s >/dev/null || exit 2
[ -z "$(find -H "$dest" %s -print | head -n 1)" ]
"""
_HARD_PROBE = """\
[ -e "$src" ] || fail "$src does not exist"
[ -e "$dest" ] || [ -L "$dest" ] || exit 1
[ "$(stat -c %d:%i -- "$dest")" = "$(stat -c %d:%i -- "$src")" ] || exit 1
attributes_hold "$dest"
"""
_HARD_ACT = """\
if [ -e "$dest" ] || [ -L "$dest" ]; then
  if [ "$(stat -c %d:%i -- "$dest")" != "$(stat -c %d:%i -- "$src")" ]; then
    [ "$force" = True ] || fail "$dest exists and is another file; force: true replaces it"
    [ ! -d "$dest" ] || fail "$dest is a directory"
    ln -- "$src" "$dest.coreops.$$"
    mv -f -- "$dest.coreops.$$" "$dest"
  fi
else
  ln -- "$src" "$dest"
fi
set_attributes "$dest"
"""
_TOUCH_PROBE = """\
[ -e "$dest" ] || exit 1
attributes_hold "$dest"
"""
_TOUCH_ACT = """\
%s
set_attributes "$dest"
"""
