"""wait_for: a port, a path or a text in it, seen from the node."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers, sh
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument
from coreops.modules.regex import translate
from coreops.modules.results import outcome
from coreops.modules.waiting import DRAINED, LOOP, MATCH, PORT

_HOST = re.compile(r"[A-Za-z0-9._:%-]+")


def _host(value: str) -> str:
    if not _HOST.fullmatch(value) or value.startswith("-"):
        raise ValueError(f"{value!r} is neither a host name nor an address")
    return value


class WaitForArguments(Arguments):
    host = argument(readers.text.then(_host), "127.0.0.1", description="Where the port is, for the node.")
    port = argument(readers.integer(at_least=1, at_most=65535), None, description="TCP port to wait for.")
    path = argument(readers.node_path, None, description="Path on the node to wait for.")
    search_regex = argument(
        readers.text, None, description="Text to wait for: in the file, or in what the port says first."
    )
    state = argument(
        readers.choice("started", "present", "stopped", "absent", "drained"),
        "started",
        description="`started`/`present`: it answers, exists. `stopped`/`absent`: not. `drained`: no connections.",
    )
    timeout = argument(readers.integer(at_least=0), 300, description="Seconds until it has failed.")
    delay = argument(readers.integer(at_least=0), 0, description="Seconds to wait before the first look.")
    sleep = argument(readers.integer(at_least=1), 1, description="Seconds between two looks.")
    connect_timeout = argument(readers.integer(at_least=1), 5, description="Seconds one attempt to connect may take.")
    msg = argument(readers.text, None, description="What to say when it did not happen in time.")

    def check(self) -> None:
        if self.port is not None and self.path is not None:
            raise ValueError("takes port or path, one of them")
        if self.search_regex is not None:
            if self.port is None and self.path is None:
                raise ValueError("search_regex needs a path or a port")
            translate(self.search_regex)
        if self.state == "drained" and self.port is None:
            raise ValueError("state drained needs a port")


class WaitFor(Module[WaitForArguments]):
    """Waits on the node, in one step: no round trip per look."""

    name = "wait_for"
    summary = "Wait for a port, a path, or a text in a file"
    arguments = WaitForArguments
    example = """\
- name: etcd listens
  wait_for:
    port: 2379
    timeout: 60
"""

    def steps(self, args: WaitForArguments, context: Context) -> Sequence[Step]:
        act, values = _script(args)
        return [
            context.step(
                act=sh.act(sh.FAIL, act, **values),
                changes=False,
                timeout=args.delay + args.timeout + args.connect_timeout + 10,
            )
        ]

    def result(self, args: WaitForArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        data: dict[str, Any] = {"state": args.state, "port": args.port, "path": args.path}
        data |= {"elapsed": round(records[-1].seconds) if records else 0, "search_regex": args.search_regex}
        return outcome(records, data)


def _script(args: WaitForArguments) -> tuple[str, dict[str, str]]:
    values = {"limit": str(args.timeout), "delay": str(args.delay), "pause": str(args.sleep)}
    gone = args.state in ("stopped", "absent")
    if args.path is None and args.port is None:
        return 'sleep "$((delay + limit))"\n', values
    values["what"] = args.msg or _what(args)
    shared, test = "", ""
    if args.search_regex is not None:
        ere = translate(args.search_regex)
        values["pattern"] = ere.text
        shared += MATCH.replace("@icase@", "-i " if ere.ignore_case else "")
    if args.path is not None:
        values["path"] = args.path.rstrip("/") or "/"
        test = (
            '{ [ -e "$path" ] || [ -L "$path" ]; }' if args.search_regex is None else '[ -f "$path" ] && match <"$path"'
        )
    else:
        values["port"] = str(args.port)
        if args.state != "drained":
            values |= {"host": args.host, "connect": str(args.connect_timeout)}
        shared += DRAINED if args.state == "drained" else PORT
        test = "drained" if args.state == "drained" else "answers" if args.search_regex is None else "banner | match"
    return shared + f"there() {{ {'! ' if gone else ''}{{ {test}; }}; }}\n" + LOOP, values


def _what(args: WaitForArguments) -> str:
    thing = f"{args.host}:{args.port}" if args.port is not None else f"{args.path}"
    wanted = {"started": "there", "present": "there", "stopped": "gone", "absent": "gone", "drained": "drained"}[
        args.state
    ]
    said = f" and says {args.search_regex}" if args.search_regex else ""
    return f"{thing} is not {wanted}{said} after {args.timeout} s"
