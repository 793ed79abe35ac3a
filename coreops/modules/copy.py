"""copy: files and folders from the controller, given content, or (remote_src) from the node itself."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coreops.errors import InputError
from coreops.model import Blob, FileStep, Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.declared import Reader, argument
from coreops.modules.mode import Change, Mode, parse_mode
from coreops.modules.placing import IN_MEMORY, Placing, place, placed
from coreops.modules.remote_copy import remote_scripts
from coreops.once import found_once

_PRESERVE = Mode("preserve", Change(0, 0), Change(0, 0), Change(0, 0))


def _json(value: object) -> object:
    return json.dumps(value) if isinstance(value, (dict, list, tuple, bool)) else value


def _mode(value: object) -> Mode:
    return _PRESERVE if value == "preserve" else parse_mode(value)


class CopyArguments(Placing):
    mode = argument(
        Reader("mode", _mode),
        None,
        description="Permissions: octal in quotes (`'0644'`), symbolic (`u=rwX,go=rX`), or `preserve`: the mode that "
        "`src` has. Default: keep, or 0644.",
    )
    src = argument(
        readers.text,
        None,
        description="A file or folder on the controller (absolute, or below the playbook or its `files/`). A folder "
        "that ends with / gives its content, without / itself. With `remote_src` an absolute path on the node.",
    )
    content = argument(
        readers.plain_text.after(_json),
        None,
        description="The content itself, instead of `src`. A mapping or list becomes JSON.",
    )
    dest = argument(
        readers.node_path, description="Absolute path on the node. Ends with /: a folder, made when missing."
    )
    force = argument(
        readers.boolean, True, description="Replace other content. `false`: write only when the file is missing."
    )
    follow = argument(readers.boolean, False, description="When dest is a symbolic link, write what it points to.")
    local_follow = argument(
        readers.boolean, True, description="Copy what symbolic links in `src` point to, not the links."
    )
    remote_src = argument(readers.boolean, False, description="`src` is on the node.")
    directory_mode = argument(readers.file_mode, None, description="Mode of the folders made on the way.")
    checksum = argument(
        readers.text, None, description="SHA-1 or SHA-256 that `src` must have; checked before it is sent."
    )

    @property
    def preserve(self) -> bool:
        """Does a file get the mode that it has on the controller?"""
        return self.mode is _PRESERVE

    def check(self) -> None:
        if (self.src is None) == (self.content is None):
            raise ValueError("needs src or content, one of them")
        if self.content is not None and self.dest.endswith("/"):
            raise ValueError(f"content needs the name of a file, and {self.dest!r} is a folder")
        if self.remote_src and not (self.src or "").startswith("/"):
            raise ValueError("with remote_src, src is an absolute path on the node")


class Copy(Module[CopyArguments]):
    """Puts files where they belong. A file that is there already is not sent."""

    name = "copy"
    summary = "Put files on the node: from the controller, or given as text"
    arguments = CopyArguments
    example = """\
- name: Settings of etcd
  copy:
    content: |
      ETCD_DATA_DIR=/var/lib/etcd
    dest: /etc/etcd/etcd.env
    owner: root
    mode: '0644'
"""

    def steps(self, args: CopyArguments, context: Context) -> Sequence[Step]:
        if args.remote_src:
            given = args.replace(mode=None) if args.preserve else args
            probe, act = remote_scripts(given, args.src or "", args.dest, preserve=args.preserve, force=args.force)
            return [
                context.step(
                    probe=probe,
                    act=act,
                )
            ]
        if args.content is not None:
            return place(
                context,
                args,
                args.dest,
                Blob.of(args.content.encode("utf-8", "surrogateescape")),
                id=context.id,
                force=args.force,
                follow=args.follow,
            )
        source = context.find("files", args.src or "")
        if source.is_dir():
            return list(_tree(args, context, source))
        dest = args.dest
        steps: list[Step] = []
        if dest.endswith("/"):
            steps.append(_folder(args, context, dest.rstrip("/") or "/", 0))
            dest += source.name
        blob = read(source, context)
        _verify(args, context, source, blob)
        effective = args.replace(mode=_mode_of(source)) if args.preserve else args
        id = f"{context.id}.1" if steps else context.id
        return steps + place(context, effective, dest, blob, id=id, force=args.force, follow=args.follow)

    def result(self, args: CopyArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        data: dict[str, Any] = {"dest": args.dest.rstrip("/") or "/"}
        if args.src:
            data["src"] = args.src
        if args.content is not None:
            content = args.content.encode("utf-8", "surrogateescape")
            data |= {"checksum": hashlib.sha1(content).hexdigest(), "size": len(content)}
        steps = self.steps(args, context) if context.diff else ()
        return placed(context, args, steps, records, data)


def read(source: Path, context: Context) -> Blob:
    """A file of the controller; small ones in memory, so that a diff can show them. Raises InputError."""
    try:
        stat = source.stat()
        return _blob(source, stat.st_mtime_ns, stat.st_size, stat.st_ino)
    except OSError as error:
        raise InputError(f"cannot read {source}", where=context.position, why=error.strerror) from None


@found_once(maxsize=64)
def _blob(source: Path, mtime: int, size: int, inode: int) -> Blob:
    """Read and hashed once, not once per host."""
    return Blob.of(source.read_bytes()) if size <= IN_MEMORY else Blob.from_file(source)


def _mode_of(source: Path) -> object:
    return parse_mode(f"{source.stat().st_mode & 0o7777:04o}")


def _folder(args: CopyArguments, context: Context, path: str, number: int) -> FileStep:
    return FileStep(
        id=f"{context.id}.{number}",
        title=context.title,
        path=path,
        kind="directory",
        mode=args.directory_mode.exact if args.directory_mode else None,
        follow=True,
    )


def _tree(args: CopyArguments, context: Context, source: Path) -> Iterator[Step]:
    """A folder and all in it, folders first, in the order of their names."""
    if args.directory_mode is not None and args.directory_mode.exact is None:
        raise InputError("copy: directory_mode of a folder is a number, like '0755'", where=context.position)
    dest = args.dest.rstrip("/") or "/"
    if not (args.src or "").endswith("/"):
        dest = posixpath.join(dest, source.name)
    yield _folder(args, context, dest, 0)
    number = 0
    for base, folders, files in os.walk(source, followlinks=args.local_follow):
        folders.sort()
        here = Path(base)
        for name in [*folders, *sorted(files)]:
            number += 1
            path = here / name
            at = posixpath.join(dest, path.relative_to(source).as_posix())
            if path.is_symlink() and not args.local_follow:
                yield FileStep(
                    id=f"{context.id}.{number}",
                    title=context.title,
                    path=at,
                    kind="link",
                    target=os.readlink(path),
                )
            elif path.is_dir():
                yield _folder(args, context, at, number)
            else:
                effective = args.replace(mode=_mode_of(path)) if args.preserve else args
                blob = read(path, context)
                yield from place(context, effective, at, blob, id=f"{context.id}.{number}", force=args.force)


def _verify(args: CopyArguments, context: Context, source: Path, blob: Blob) -> None:
    if args.checksum is None:
        return
    wanted = args.checksum.lower()
    found = blob.sha256
    if len(wanted) == 40:
        with source.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha1").hexdigest()
    if found != wanted:
        raise InputError(
            f"{source} does not have the checksum of the task",
            where=context.position,
            why=f"wanted {wanted}, found {found}",
            next="get the right file, or correct checksum",
        )
