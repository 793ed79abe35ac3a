"""Ignition takes every render; and the machine that its ``files`` stage makes is the one that the node describes."""

from __future__ import annotations

import base64
import gzip
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from coreops.cloudconfig.model import Node
from coreops.cloudconfig.targets import TARGETS
from coreops.errors import InputError
from tests.cloudconfig.nodes import nodes
from tests.cloudconfig.support import FULL, HOSTILE, PLAIN, PLATFORMS, ROLES, node, rendered
from tests.cloudconfig.targets.real_ignition import booted, validate

SPECS = ("3.3.0", "3.4.0")
KEPT = tuple(f"etc/{name}" for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid", ".pwd", "selinux"))
"""What a machine has before, and what programs write for users."""


def judged(config: bytes) -> str:
    """What the validator says. Debian's knows 3.4.0 by the name that it had before it was final."""
    return validate(config.replace(b'"version": "3.4.0"', b'"version": "3.4.0-experimental"'))


@pytest.mark.parametrize("inventory", [PLAIN, FULL], ids=["plain", "full"])
def test_every_platform_and_role_has_neither_error_nor_warning(inventory: str) -> None:
    documents = {
        rendered(inventory, role, "ignition", platform).data: f"{role} {platform}"
        for role in ROLES
        for platform in (None, *PLATFORMS)
    }
    said = {name: judged(data) for data, name in documents.items()}
    assert {name: text for name, text in said.items() if text} == {}


@pytest.mark.parametrize("spec", SPECS)
def test_hostile_values_have_neither_error_nor_warning(spec: str) -> None:
    assert judged(TARGETS["ignition"](node(HOSTILE), spec).data) == ""


def walk(root: Path) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every path below root: kind, mode, owner, content."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            short = str(path.relative_to(root))
            if short.startswith(KEPT):
                continue
            info = path.lstat()
            what = (stat.S_IMODE(info.st_mode), f"{info.st_uid}:{info.st_gid}")
            if path.is_symlink():
                yield short, ("link", os.readlink(path))
            elif path.is_dir():
                yield short, ("folder", *what)
            else:
                yield short, ("file", *what, path.read_bytes())


def machine(one: Node, accounts: dict[str, str]) -> dict[str, tuple[Any, ...]]:
    """The tree that a node describes. accounts: owners by name, as ``uid:gid``."""
    found: dict[str, tuple[Any, ...]] = {}

    def put(path: str, data: bytes, mode: int = 0o644, owner: str = "0:0") -> None:
        found[path.lstrip("/")] = ("file", mode, owner, data)

    if one.hostname:
        put("/etc/hostname", f"{one.hostname}\n".encode())
    for file in one.write_files:
        data = file.content.encode()
        if file.encoding:
            data = base64.b64decode(data)
            data = gzip.decompress(data) if file.encoding.startswith("gz") else data
        put(file.path, data, int(file.permissions or "0644", 8), accounts[file.owner or "root:root"])
    enabled = []
    for unit in one.coreos.units:
        folder = "/etc/systemd/network" if unit.network else "/etc/systemd/system"
        if unit.mask:
            found[f"{folder}/{unit.name}".lstrip("/")] = ("link", "/dev/null")
        elif unit.content:
            put(f"{folder}/{unit.name}", unit.content.encode())
        for each in unit.drop_ins:
            put(f"{folder}/{unit.name}.d/{each.name}", each.content.encode())
        if unit.enable:
            enabled.append(unit.name)
    if enabled:
        put("/etc/systemd/system-preset/20-ignition.preset", "".join(f"enable {name}\n" for name in enabled).encode())
    keys = "".join(f"{key}\n" for key in one.ssh_authorized_keys)
    if keys:
        put("/home/core/.ssh/authorized_keys.d/ignition", keys.encode(), 0o600, "500:500")
    return found


@pytest.mark.parametrize("spec", SPECS)
def test_the_machine_is_what_the_node_says(spec: str) -> None:
    one = node(HOSTILE)
    config = TARGETS["ignition"](one, spec).data.replace(b'"3.4.0"', b'"3.4.0-experimental"')
    wanted = machine(one, {"root:root": "0:0", "off:sudo": "1000:27"})
    # Debian's Ignition is from before 3.4.0 was final, and sets no special bits.
    kind, mode, *rest = wanted["opt/bin/setuid"]
    wanted["opt/bin/setuid"] = (kind, mode & 0o777, *rest)
    with booted(config) as root:
        there = dict(walk(root))
        passwd = (root / "etc/passwd").read_text().splitlines()
        shadow = (root / "etc/shadow").read_text().splitlines()
        group = (root / "etc/group").read_text().splitlines()
    result = there.pop("etc/.ignition-result.json")
    assert result[0] == "file"
    folders = {path: each for path, each in there.items() if each[0] == "folder"}
    assert {path: each for path, each in there.items() if each[0] != "folder"} == wanted
    above = {str(parent) for path in wanted for parent in Path(path).parents} - {"."}
    assert set(folders) == above | {"home/off"}
    assert {each for path, each in folders.items() if not path.startswith("home/")} == {("folder", 0o755, "0:0")}
    (user,) = one.users
    name, _, uid, gid, *more = next(line for line in passwd if line.startswith("off:")).split(":")
    assert (name, uid, *more) == ("off", "1000", user.gecos, "/home/off", user.shell)
    assert folders["home/off"][2] == f"1000:{gid}"
    assert [line.split(":")[1] for line in shadow if line.startswith("off:")] == [user.passwd]
    assert "sudo:x:27:off" in group


NOT_PLAIN = (
    *("ssh_authorized_keys", "users", "manage_etc_hosts", "environment", "etc_hosts", "time", "swap", "storage"),
    *(
        "write_files.owner",
        "write_files.encoding",
        "coreos.units.enable",
        "coreos.units.command",
        "coreos.units.runtime",
    ),
    *(f"coreos.{name}" for name in type(Node().coreos).model_fields if name != "units"),
)


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(nodes(*NOT_PLAIN))
def test_random_files_and_units_arrive_unchanged(one: Node) -> None:
    try:
        config = TARGETS["ignition"](one).data
    except InputError:
        assume(False)
    wanted = machine(one, {"root:root": "0:0"})
    with booted(config) as root:
        there = {path: each for path, each in walk(root) if each[0] != "folder"}
    there.pop("etc/.ignition-result.json")
    for path, (kind, *more) in wanted.items():
        if kind == "file" and more[0] > 0o777:
            wanted[path] = (kind, more[0] & 0o777, *more[1:])
    assert there == wanted
