"""User-data that is a script: a file, and a service that runs it with bash on every boot, as coreos-cloudinit did."""

from __future__ import annotations

from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.parts import items, text
from coreops.cloudconfig.marked import Marked, mark
from coreops.model import Position

PATH = "/opt/coreops/user-data"
NAME = "coreops-user-data.service"
_UNIT = f"""[Unit]
Description=Run the script that was the user-data
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/bash {PATH}

[Install]
WantedBy=multi-user.target
"""


def is_script(tree: Marked) -> bool:
    """Was the user-data a script?"""
    return [text(file, "path") for file in items(tree, "write_files")] == [PATH]


def script(said: str, file: str, notes: list[Note]) -> Marked:
    """Return the node of a script. coreos-cloudinit never looked at the first line: bash ran it."""
    at = Position(file, 1, 1)
    shell = said.split("\n", 1)[0].rstrip()
    why = f"bash runs it on every boot, as coreos-cloudinit did; {shell!r} was not looked at"
    notes.append(Note("changed", "the script", f"it is {PATH}, run by {NAME}; {why}", at))
    content = Marked(said, at)
    written = Marked({"path": mark(PATH, at), "permissions": mark("0700", at), "content": content}, at)
    unit = mark({"name": NAME, "content": _UNIT, "enable": True, "command": "start"}, at)
    return Marked({"write_files": Marked((written,), at), "coreos": Marked({"units": Marked((unit,), at)}, at)}, at)
