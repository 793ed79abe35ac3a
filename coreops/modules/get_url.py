"""get_url: a file that the node itself downloads. It is put in its place only when its checksum is right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers, sh
from coreops.modules.base import Context, Module
from coreops.modules.declared import argument
from coreops.modules.placing import Placing
from coreops.modules.results import backup_file, outcome, text

_LENGTHS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_URL = re.compile(r"(https?|ftp|file)://[^\s]+", re.IGNORECASE)


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError(f"{value!r} is not a URL that curl or wget takes (http, https, ftp, file; no blanks)")
    return value


def _checksum(value: str) -> str | None:
    if value == "":
        return None
    algorithm, colon, wanted = value.partition(":")
    if not colon or algorithm not in _LENGTHS:
        raise ValueError(f"{value!r} is not ALGORITHM:HEX or ALGORITHM:URL; algorithms: {', '.join(_LENGTHS)}")
    if _URL.fullmatch(wanted):
        return value
    if not re.fullmatch("[0-9a-fA-F]+", wanted) or len(wanted) != _LENGTHS[algorithm]:
        raise ValueError(f"{wanted!r} is neither {_LENGTHS[algorithm]} hexadecimal digits ({algorithm}) nor a URL")
    return f"{algorithm}:{wanted.lower()}"


def _headers(value: object) -> object:
    if isinstance(value, str):
        return dict(part.strip().split(":", 1) for part in value.split(",") if ":" in part)
    return value


def _no_newline(value: dict[str, str]) -> dict[str, str]:
    for name, content in value.items():
        if any(c in name + content for c in "\r\n\0"):
            raise ValueError("a header cannot hold a newline")
    return value


class GetUrlArguments(Placing):
    url = argument(readers.text.then(_url), description="What to download; http, https, ftp or file.")
    dest = argument(
        readers.node_path, description="Absolute path of the file, or a folder (the name is then that of the URL)."
    )
    checksum = argument(
        readers.text.then(_checksum),
        None,
        description="`sha256:HEX`, or `sha256:URL` of a list of checksums. A file that has it is not downloaded.",
    )
    force = argument(
        readers.boolean, False, description="Download although dest is there; it is replaced when it differs."
    )
    timeout = argument(
        readers.integer(at_least=1), 10, description="Seconds until the connection must stand and data must flow."
    )
    headers = argument(
        readers.mapping.after(_headers).then(_no_newline),
        {},
        description="HTTP headers to send. They do not show in argv.",
    )
    url_username = argument(readers.text, None, aliases=("username",), description="User for HTTP authentication.")
    url_password = argument(readers.text, None, aliases=("password",), description="Password; does not show in argv.")
    http_agent = argument(readers.text, "coreops", description="User agent to send.")
    use_proxy = argument(readers.boolean, True, description="Heed the proxy variables of the node.")
    validate_certs = argument(readers.boolean, True, description="Check the server's certificate. Leave it on.")
    force_basic_auth = argument(
        readers.boolean, False, description="Accepted for Ansible's sake; credentials are sent at once."
    )

    def check(self) -> None:
        if self.dest.endswith("/") and not self.base_name():
            raise ValueError("the URL ends without a name; give dest the name of a file")

    def base_name(self) -> str:
        """The file's name in a folder."""
        name = unquote(urlsplit(self.url).path.rsplit("/", 1)[-1])
        return "" if "/" in name or name in (".", "..") else name


class GetUrl(Module[GetUrlArguments]):
    """Downloads with curl, or wget, of the node."""

    name = "get_url"
    summary = "Let the node download a file"
    arguments = GetUrlArguments
    example = """\
- name: The scheduler's archive
  get_url:
    url: https://releases.example.com/scheduler/1.2.3/scheduler-linux-amd64.tar.gz
    dest: /opt/archives/
    checksum: sha256:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6
"""

    def steps(self, args: GetUrlArguments, context: Context) -> Sequence[Step]:
        algorithm, _, wanted = (args.checksum or "").partition(":")
        listed = bool(_URL.fullmatch(wanted))
        values = {"dest": args.dest, "name": args.base_name(), "sum": "" if listed else wanted}
        shared = args.holds() + _SHARED
        if algorithm:
            shared += _SUM.replace("@sum@", f"{algorithm}sum")
        if listed:
            shared += _LIST
        # A download with credentials or headers needs curl, which takes them from a pipe. All of it travels in env.
        env = {**context.env, "coreops_curl": _curl(args, args.url), "coreops_url": args.url}
        if listed:
            env |= {"coreops_curl_list": _curl(args, wanted), "coreops_url_list": wanted}
        shared += (
            _FETCH.replace("@timeout@", str(args.timeout))
            .replace("@insecure@", "" if args.validate_certs else " --no-check-certificate")
            .replace("@secret@", _SECRET if _secret(args) else "")
        )
        have = 'wanted_sum && has_sum "$dest"' if algorithm else ("false" if args.force else ":")
        probe = sh.probe(sh.FAIL, shared, f'[ -e "$dest" ] && {have} || exit 1\nattributes_hold "$dest"\n', **values)
        check = f'wanted_sum\nhas_sum "$tmp" || fail "{_WRONG}"\n' if algorithm else ""
        act = sh.act(args.writing(), shared, _ACT % (have, check), **values)
        return [
            context.step(
                probe=probe,
                act=act,
                env=env,
            )
        ]

    def result(self, args: GetUrlArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        data: dict[str, Any] = {"url": args.url, "dest": args.dest}
        if args.dest.endswith("/"):
            data["dest"] = args.dest + args.base_name()
        result = outcome(records, data | backup_file(records))
        if result.changed and records[-1].state == "changed" and "same\n" in text(records[-1].stdout):
            return TaskResult(message="downloaded; the file was the same", data=data)
        return result


_WRONG = "the download does not have the checksum of the task (wanted $sum, found $found); $dest is as it was"


def _secret(args: GetUrlArguments) -> bool:
    return bool(args.headers) or args.url_username is not None or args.url_password is not None or "@" in args.url


def _curl(args: GetUrlArguments, url: str) -> str:
    """A configuration for curl: one option a line, its value in double quotes."""
    options = {"url": url, "user-agent": args.http_agent, "connect-timeout": str(args.timeout)}
    options |= {
        "speed-time": str(args.timeout),
        "speed-limit": "1",
        "max-redirs": "10",
        "proto-redir": "=http,https,ftp",
    }
    if args.url_username is not None or args.url_password is not None:
        secret = args.url_password if args.url_password else ""
        options["user"] = f"{args.url_username or ''}:{secret}"
    lines = [f"{name} = {_curl_quote(value)}" for name, value in options.items()]
    lines += [f"header = {_curl_quote(f'{name}: {value.strip()}')}" for name, value in args.headers.items()]
    lines += ["fail", "silent", "show-error", "location", "globoff"]
    lines += [] if args.validate_certs else ["insecure"]
    lines += [] if args.use_proxy else ['noproxy = "*"']
    return "\n".join(lines) + "\n"


def _curl_quote(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


# Where it goes, once it is known what dest is.
_SHARED = """\
if [ -d "$dest" ] || [ "${dest%/}" != "$dest" ]; then
  [ -n "$name" ] || fail "$dest is a folder and the URL ends without a name"
  dest=${dest%/}/$name
fi
[ ! -L "$dest" ] || dest=$(readlink -f -- "$dest") || fail "$dest is a broken symbolic link"
"""
_SUM = """\
wanted_sum() { :; }
has_sum() {
  found=$(@sum@ <"$1") || exit 2
  found=${found%% *}
  [ "$found" = "$sum" ]
}
"""
# A list has lines "HEX  NAME" or "HEX *NAME", or is one checksum alone.
_LIST = """\
wanted_sum() {
  [ -z "$sum" ] || return 0
  list=$(fetch "$coreops_curl_list" "$coreops_url_list" -) || fail "cannot download the list of checksums"
  sum=$(printf '%s\\n' "$list" | name=$name awk '
    { file = $2; sub(/^\\*/, "", file); sub(/^.*\\//, "", file) }
    NF > 1 && (file "") == (ENVIRON["name"] "") { print tolower($1); found = 1; exit }
    NF == 1 && !first { first = $1 }
    END { if (!found && first != "") print tolower(first) }')
  [ -n "$sum" ] || fail "the list of checksums does not name $name"
}
"""
_SECRET = """\
    fail "this node has no curl, and wget would show headers and passwords to everybody; install curl"
    # shellcheck disable=SC2317
"""
_FETCH = """\
fetch() {
  if command -v curl >/dev/null 2>&1; then
    printf '%s' "$1" | curl -q -K - -o "$3"
  elif command -v wget >/dev/null 2>&1; then
@secret@    case $(wget --help 2>&1) in
      *BusyBox*) wget -q@insecure@ -O "$3" -- "$2" ;; # its -T crashes where it was built with threads
      *) wget -q -T @timeout@@insecure@ -O "$3" -- "$2" ;;
    esac
  else
    fail "this node has neither curl nor wget; copy the file from the controller"
  fi
}
"""
_ACT = (
    """\
if [ -e "$dest" ] && %s; then
  set_attributes "$dest"
  exit
fi
[ -d "${dest%%/*}/" ] || fail "its folder does not exist: $dest"
"""
    + sh.TEMPORARY.replace("%", "%%")
    + """\
fetch "$coreops_curl" "$coreops_url" "$tmp" || fail "the download failed; $dest is as it was"
%sif [ -e "$dest" ] && cmp -s -- "$tmp" "$dest" && attributes_hold "$dest"; then
  echo same
  exit
fi
place "$tmp" "$dest"
"""
)
