"""Debian's cloud-init takes every render, and reads in it what the node says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from coreops.cloudconfig.targets.cloud_init import render
from tests.cloudconfig.real.judges import ask_cloud_init
from tests.cloudconfig.real.programs import cloud_init
from tests.cloudconfig.support import FULL, HOSTILE, PLAIN, PLATFORMS, ROLES, node, rendered

pytestmark = pytest.mark.slow

ALL = (None, *PLATFORMS)


def test_every_platform_and_role(tmp_path: Path) -> None:
    documents = {
        f"{name} {role} {platform}": rendered(inventory, role, "cloud-init", platform).data
        for name, inventory in (("plain", PLAIN), ("full", FULL))
        for role in ROLES
        for platform in ALL
    }
    said = ask_cloud_init(documents, tmp_path)
    assert {name: each.errors for name, each in said.items() if each.errors} == {}
    assert {name: each.unknown for name, each in said.items() if each.unknown} == {}


def test_the_command_says_so_too(tmp_path: Path) -> None:
    path = tmp_path / "user-data"
    path.write_bytes(rendered(FULL, "member", "cloud-init").data)
    words = [cloud_init().command, "schema", "--config-file", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"Valid cloud-config: {path}\n"), done.stderr


@pytest.mark.parametrize("fails", ["", "enable", "start"])
def test_every_command_is_run_and_none_fails_unnoticed(tmp_path: Path, fails: str) -> None:
    units = r"{name: a.timer, enable: true, command: start}, {name: 'b\x20c.service', command: start}"
    (said,) = ask_cloud_init({"": render(node(f"coreos: {{units: [{units}]}}")).data}, tmp_path).values()
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*"\n[ "$1" != "{fails}" ]\n')
    systemctl.chmod(0o755)
    script = tmp_path / "runcmd"
    script.write_text(said.script)
    done = subprocess.run(
        ["/bin/sh", script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        *("daemon-reload", "enable -- a.timer", "start -- a.timer", r"start -- b\x20c.service")
    ]
    assert done.returncode == (1 if fails else 0), done.stderr


def test_files_are_what_the_node_says(tmp_path: Path) -> None:
    one = node(HOSTILE)
    (said,) = ask_cloud_init({"hostile": render(one).data}, tmp_path).values()
    assert (said.errors, said.unknown) == ([], [])
    written = {each.path: each for each in said.files}
    for file in one.write_files:
        if file.encoding is None:
            assert written[file.path].content == file.content.encode()
        assert written[file.path].mode == int(file.permissions or "0644", 8)
        assert written[file.path].owner == (file.owner or "root:root")
    assert written["/etc/blob"].content == b"\x00\xff\x01"
    for unit in one.coreos.units:
        folder = "/etc/systemd/network" if unit.network else "/etc/systemd/system"
        if unit.content is not None:
            assert written[f"{folder}/{unit.name}"].content == unit.content.encode()
        for each in unit.drop_ins:
            assert written[f"{folder}/{unit.name}.d/{each.name}"].content == each.content.encode()
