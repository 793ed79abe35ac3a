"""unarchive: what an archive holds is there, unpacked. It is unpacked aside and then moved, never half there."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

from coreops.errors import InputError
from coreops.model import Blob, Record, Step, TaskResult
from coreops.modules import readers, sh, tree
from coreops.modules.archive import Archive, Entry, read_archive, strip
from coreops.modules.attributes import Attributes
from coreops.modules.base import Context, Module
from coreops.modules.declared import argument
from coreops.modules.results import outcome, text
from coreops.modules.running import words
from coreops.modules.unpacking import FIND_FORMAT, MOVE, PROBE_LISTED, PROBE_REMOTE, UNPACK
from coreops.shell.quote import glob, join, q

# A script travels as one environment variable, and Linux has a limit for one.
_LONGEST = 100_000
_STRIP = re.compile(r"--strip(?:-components)?=(\d+)")


def _options(value: object) -> object:
    return words(value) if isinstance(value, str) else value


class UnarchiveArguments(Attributes):
    src = argument(
        readers.text, description="The archive on the controller, or (`remote_src`) an absolute path on the node."
    )
    dest = argument(readers.node_path, description="Absolute path of the folder it goes to; made when missing.")
    remote_src = argument(readers.boolean, False, description="`src` is on the node.")
    copy = argument(readers.boolean, None, description="Ansible's old opposite of `remote_src`.")
    creates = argument(
        readers.text, None, description="Nothing is done when this path (or a match of this pattern) exists."
    )
    extra_opts = argument(
        readers.texts.after(_options), (), description="Options for tar or unzip, like `--strip-components=1`."
    )
    exclude = argument(readers.words, (), description="Members (patterns) to leave out.")
    include = argument(readers.words, (), description="Only these members (patterns).")
    keep_newer = argument(readers.boolean, False, description="Leave files that are newer than those in the archive.")
    list_files = argument(readers.boolean, False, description="Return the names in the archive as `files`.")
    validate_certs = argument(
        readers.boolean, True, description="Accepted for Ansible's sake; an archive is not downloaded here."
    )
    decrypt = argument(readers.boolean, True, description="Accepted for Ansible's sake.")

    @classmethod
    def prepare(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**raw, "remote_src": not readers.boolean.read(raw["copy"])} if "copy" in raw else raw

    def check(self) -> None:
        if "://" in self.src:
            raise ValueError("src is a URL; download it with get_url, which checks its checksum, then use remote_src")
        if self.remote_src and not self.src.startswith("/"):
            raise ValueError("with remote_src, src is an absolute path on the node")
        if self.include and self.exclude:
            raise ValueError("takes include or exclude, one of them")
        if not self.dest.strip("/"):
            raise ValueError("refusing to unpack into /")

    @property
    def components(self) -> int | None:
        """How many leading folders tar takes off; None when extra_opts may change names in another way."""
        left = [option for option in self.extra_opts if not _STRIP.fullmatch(option)]
        if any("transform" in option or "strip" in option or "xform" in option or option == "-C" for option in left):
            return None
        return sum(int(match[1]) for option in self.extra_opts if (match := _STRIP.fullmatch(option)))


class Unarchive(Module[UnarchiveArguments]):
    """Unpacks tar archives (plain, gzip, xz, bzip2, zstd) and zip files."""

    name = "unarchive"
    summary = "Unpack an archive on the node"
    arguments = UnarchiveArguments
    example = """\
- name: Unpack the scheduler
  unarchive:
    src: scheduler-1.2.3.tar.gz
    dest: /opt/scheduler
    extra_opts: [--strip-components=1]
    owner: root
"""

    def steps(self, args: UnarchiveArguments, context: Context) -> Sequence[Step]:
        dest = args.dest.rstrip("/")
        values = {"dest": dest}
        creates = ""
        if args.creates is not None:
            creates = f'for one in {glob(args.creates)}; do [ ! -e "$one" ] || exit 0; done\n'
        if args.remote_src:
            blobs: tuple[Blob, ...] = ()
            values["archive"] = args.src
            shared, listed = FIND_FORMAT, PROBE_REMOTE % join(args.extra_opts)
            archive = "archive_exists\n"
        else:
            path = context.find("files", args.src)
            try:
                found = read_archive(path)
                blobs = (found.blob,)
            except (OSError, ValueError) as error:
                raise InputError(f"cannot unpack {path}", where=context.position, why=str(error)) from None
            shared = f"format={found.format}\n"
            listed = _listed(args, found, context)
            archive = "archive=$blob1\n"
        if creates:
            listed = "exit 1\n"
        probe = sh.probe(sh.FAIL, creates, shared, listed, **values)
        if len(probe.encode()) > _LONGEST:
            raise InputError(
                f"{args.src} holds too many files to look at each on every run",
                where=context.position,
                next="say with creates which path is there afterwards",
            )
        tar = join([*args.extra_opts, *(["--keep-newer-files"] if args.keep_newer else [])])
        unpack = (
            UNPACK.replace("@tar@", tar).replace("@members@", _members(args)).replace("@zip@", join(args.extra_opts))
        )
        keep = "newer=1\n" if args.keep_newer else "newer=''\n"
        act = sh.act(sh.FAIL, shared, archive, keep, unpack, tree.apply(args, '"$tmp"'), MOVE, **values)
        return [
            context.step(
                probe=probe,
                act=act,
                blobs=blobs,
            )
        ]

    def result(self, args: UnarchiveArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        data: dict[str, Any] = {"src": args.src, "dest": args.dest.rstrip("/")}
        if args.list_files and not args.remote_src:
            entries = read_archive(context.find("files", args.src)).entries
            data["files"] = [entry.path for entry in entries or ()]
        elif args.list_files and records:
            said = text(records[0].before or records[0].stdout)
            data["files"] = [line.removeprefix("= ") for line in said.splitlines() if line.startswith("= ")]
        return outcome(records, data)


def _listed(args: UnarchiveArguments, archive: Archive, context: Context) -> str:
    """A probe that compares the archive's files with those on the node: size and time of every one, in one stat."""
    if args.creates is not None:
        return ""
    if archive.entries is None or args.components is None:
        why = "zstd cannot be read on the controller" if archive.entries is None else "extra_opts changes names"
        raise InputError(
            f"nobody can tell whether {args.src} is unpacked already",
            where=context.position,
            why=why,
            next="say with creates which path is there afterwards",
        )
    entries = strip(_chosen(args, archive.entries), args.components)
    files = [entry for entry in entries if entry.kind in ("file", "hard")]
    names = " \\\n  ".join(q("./" + entry.path) for entry in files)
    # With keep_newer, and in zip files (local time, even seconds), the time says nothing certain.
    timeless = archive.format == "zip" or args.keep_newer
    lines = [_line(entry, timeless) for entry in files]
    links = "".join(
        f'[ "$(readlink -- {q("./" + entry.path)})" = {q(entry.target)} ] || exit 1\n'
        for entry in entries
        if entry.kind == "link"
    )
    folders = [q("./" + entry.path) for entry in entries if entry.kind == "folder"]
    there = f'for one in {" ".join(folders)}; do [ -d "$one" ] || exit 1; done\n' if folders else ""
    compare = PROBE_LISTED.replace("@names@", names) if files else ""
    return (
        '[ -d "$dest" ] || exit 1\ncd -- "$dest" || exit 2\n'
        + compare.replace("@time@", ":-" if timeless else ":%Y").replace("@wanted@", q("\n".join(lines)))
        + there
        + links
        + _attributes(args, entries)
    )


def _attributes(args: UnarchiveArguments, entries: tuple[Entry, ...]) -> str:
    if not entries or (args.owner is None and args.group is None and args.mode is None):
        return ""
    tops = join(f"./{top}" for top in sorted({entry.path.split("/")[0] for entry in entries}))
    return f'[ -z "$(find {tops} {tree.differs(args)} -print | head -n 1)" ]\n'


def _line(entry: Entry, timeless: bool) -> str:
    if entry.kind == "hard":
        return "*"
    return f"{entry.size}:{'-' if timeless else entry.time}"


def _chosen(args: UnarchiveArguments, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    def matches(entry: Entry, patterns: tuple[str, ...]) -> bool:
        parts = entry.path.split("/")
        heads = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        return any(fnmatch.fnmatchcase(head, pattern.rstrip("/")) for head in heads for pattern in patterns)

    if args.include:
        return tuple(entry for entry in entries if matches(entry, args.include))
    return tuple(entry for entry in entries if not matches(entry, args.exclude))


def _members(args: UnarchiveArguments) -> str:
    return join([*(f"--exclude={pattern}" for pattern in args.exclude), *args.include])
