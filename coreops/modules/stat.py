"""stat: what is at a path. Only looks."""

from __future__ import annotations

import stat as bits
from collections.abc import Sequence
from typing import Any

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers, sh
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument
from coreops.modules.results import outcome, text

_KINDS = (
    ("isdir", bits.S_ISDIR),
    ("isreg", bits.S_ISREG),
    ("islnk", bits.S_ISLNK),
    ("isblk", bits.S_ISBLK),
    ("ischr", bits.S_ISCHR),
    ("isfifo", bits.S_ISFIFO),
    ("issock", bits.S_ISSOCK),
)
_NUMBERS = ("uid", "gid", "size", "inode", "nlink", "blocks", "block_size")


class StatArguments(Arguments):
    path = argument(readers.node_path, aliases=("dest", "name"), description="Absolute path.")
    follow = argument(readers.boolean, False, description="Tell about what a symbolic link points to.")
    get_checksum = argument(readers.boolean, True, description="Compute the checksum of a regular file.")
    checksum_algorithm = argument(
        readers.choice("md5", "sha1", "sha224", "sha256", "sha384", "sha512"),
        "sha1",
        aliases=("checksum", "checksum_algo"),
        description="How to compute it.",
    )
    get_mime = argument(readers.boolean, False, description="Accepted for Ansible's sake; no MIME type is told.")
    get_attributes = argument(
        readers.boolean, False, description="Accepted for Ansible's sake; no file attributes are told."
    )


class Stat(Module[StatArguments]):
    """Registers what is at a path."""

    name = "stat"
    summary = "Look at a path: kind, mode, owner, size, times, checksum"
    arguments = StatArguments
    example = """\
- name: Is there data already?
  stat:
    path: /var/lib/etcd/member
  register: member
"""

    def steps(self, args: StatArguments, context: Context) -> Sequence[Step]:
        values = {"path": args.path.rstrip("/") or "/"}
        sum_tool = f"{args.checksum_algorithm}sum" if args.get_checksum else ""
        script = _PROBE.replace("@stat@", "stat -L" if args.follow else "stat").replace("@sum@", sum_tool or ":")
        return [
            context.step(
                probe=sh.probe(sh.FAIL, script, **values),
            )
        ]

    def result(self, args: StatArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        if not records or records[-1].state != "ok":
            return outcome(records)
        return outcome(records, {"stat": _parse(args, text(records[-1].stdout))})


def _parse(args: StatArguments, said: str) -> dict[str, Any]:
    if not said.startswith("1 "):
        return {"exists": False}
    first, _, rest = said.partition("\n")
    words = first.split(" ")
    raw = int(words[1], 16)
    access, checksum, rest = (*rest.split("\n", 2), "", "")[:3]
    numbers = dict(zip(_NUMBERS, map(int, words[2:9]), strict=True))
    times = dict(zip(("atime", "mtime", "ctime"), map(float, words[9:12]), strict=True))
    device = int(words[12])
    data: dict[str, Any] = {
        "exists": True,
        "path": args.path,
        "mode": f"{bits.S_IMODE(raw):04o}",
        **{name: test(raw) for name, test in _KINDS},
        **numbers,
        **times,
        "dev": device,
        "pw_name": words[13],
        "gr_name": words[14],
        "isuid": bool(raw & bits.S_ISUID),
        "isgid": bool(raw & bits.S_ISGID),
        "readable": "r" in access,
        "writeable": "w" in access,
        "executable": "x" in access,
    }
    for what, mask in (("r", 4), ("w", 2), ("x", 1)):
        for who, shift in (("usr", 6), ("grp", 3), ("oth", 0)):
            data[f"{what}{who}"] = bool(raw >> shift & mask)
    if len(checksum) > 1:
        data["checksum"] = checksum[1:].lstrip("\\")
    if data["islnk"]:
        target, _, source = rest.partition("\n/\n")
        data |= {"lnk_target": target, "lnk_source": source.removesuffix("\n")}
    return data


# Line 1: "1" and numbers; 2: rights; 3: "=" and the checksum; then a link's target, a line "/", and where it leads.
_PROBE = """\
if [ ! -e "$path" ] && [ ! -L "$path" ]; then
  printf '0\\n'
  exit 0
fi
is=$(@stat@ -c '%f %u %g %s %i %h %b %B %X %Y %Z %d %U %G' -- "$path") || exit 2
printf '1 %s\\n' "$is"
rights=''
[ ! -r "$path" ] || rights=r
[ ! -w "$path" ] || rights=${rights}w
[ ! -x "$path" ] || rights=${rights}x
printf '%s\\n' "$rights"
sum=''
case $is in
  8*) [ ! -r "$path" ] || sum=$(@sum@ <"$path") || exit 2 ;;
  a*)
    printf '=\\n'
    readlink -- "$path"
    printf '/\\n'
    readlink -f -- "$path" || :
    exit 0
    ;;
esac
printf '=%s\\n' "${sum%% *}"
"""
