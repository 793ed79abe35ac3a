"""Ignition: the tree that the real one makes of a config."""

from __future__ import annotations

import base64
import gzip
import os
from pathlib import Path

from coreops.cloudconfig.model import Node
from coreops.cloudconfig.model.coreos import CoreOS
from coreops.cloudconfig.model.file import File
from coreops.cloudconfig.model.unit import DropIn, Unit
from coreops.cloudconfig.targets.ignition import render
from tests.cloudconfig.support import node
from tests.cloudconfig.targets.ignition_reading import ACCOUNTS, HOSTILE
from tests.cloudconfig.targets.real_ignition import booted, validate


def test_the_tree_that_the_real_ignition_makes() -> None:
    zipped = base64.b64encode(gzip.compress(HOSTILE.encode(), mtime=0)).decode()
    unit = "[Unit]\nDescription=%n $HOME \\\\ 'a' \"b\" ☃\n"
    one = Node(
        hostname="n1",
        ssh_authorized_keys=("ssh-ed25519 AAAA 'a' \"b\" $(id)",),
        write_files=(
            File(path="/etc/a b/ünï $(id) 'x' \"y\" %n", content=HOSTILE),
            File(path="/etc/zipped", content=zipped, encoding="gzip+base64", permissions="0600", owner="core:sudo"),
            File(path="/etc/binary", content=base64.b64encode(bytes(range(256))).decode(), encoding="b64"),
            File(path="/etc/owned", owner="500:27", permissions="600"),
        ),
        coreos=CoreOS(
            units=(
                Unit(
                    name="a.service", content=unit, command="start", drop_ins=(DropIn(name="a b.conf", content=unit),)
                ),
                Unit(name="x@y.service", command="start"),
            )
        ),
    )
    done = render(one)
    assert validate(done.data) == ""
    with booted(done.data) as root:
        assert read(root, "etc/a b/ünï $(id) 'x' \"y\" %n") == (HOSTILE.encode(), 0o644, 0, 0)
        assert read(root, "etc/zipped") == (HOSTILE.encode(), 0o600, 500, 27)
        assert read(root, "etc/binary") == (bytes(range(256)), 0o644, 0, 0)
        assert read(root, "etc/owned") == (b"", 0o600, 500, 27)
        assert read(root, "etc/systemd/system/a.service")[0] == unit.encode()
        assert read(root, "etc/systemd/system/a.service.d/a b.conf")[0] == unit.encode()
        wants = root / "etc/systemd/system/multi-user.target.wants"
        assert {each.name: os.readlink(each) for each in wants.iterdir()} == {
            "a.service": "/etc/systemd/system/a.service",
            "x@y.service": "/usr/lib/systemd/system/x@.service",
        }
        keys = next((root / "home/core/.ssh").rglob("ignition"))
        assert keys.read_text().strip() == "ssh-ed25519 AAAA 'a' \"b\" $(id)"


def test_long_lines_of_units_become_files() -> None:
    text = f"[Service]\nExecStart=/bin/echo {'x' * 3000}\n[Install]\nWantedBy=multi-user.target\n"
    unit = Unit(name="a.service", content=text, command="start", drop_ins=(DropIn(name="a.conf", content=text),))
    done = render(Node(coreos=CoreOS(units=(unit,))))
    assert validate(done.data) == ""
    with booted(done.data) as root:
        assert read(root, "etc/systemd/system/a.service")[0] == text.encode()
        assert read(root, "etc/systemd/system/a.service.d/a.conf")[0] == text.encode()
        assert (root / "etc/systemd/system-preset/20-ignition.preset").read_text() == "enable a.service\n"


def read(root: Path, name: str) -> tuple[bytes, int, int, int]:
    path = root / name
    about = path.stat()
    return path.read_bytes(), about.st_mode & 0o7777, about.st_uid, about.st_gid


def test_accounts_that_the_real_ignition_makes() -> None:
    done = render(node(ACCOUNTS))
    assert not done.losses
    assert validate(done.data) == ""
    with booted(done.data) as root:
        passwd = {line.partition(":")[0]: line for line in (root / "etc/passwd").read_text().splitlines()}
        assert passwd["ann"].endswith(":A $(id) 'b':/home/ann:/bin/bash")
        assert passwd["bob"].split(":")[3::2] == ["100", "/home/b"]
        assert "ann:$6$a$b:" in (root / "etc/shadow").read_text()
        groups = (root / "etc/group").read_text().splitlines()
        assert {"sudo:x:27:ann", "docker:x:233:core,ann"} <= {line.replace("ann,core", "core,ann") for line in groups}
        assert (root / "etc/motd").stat().st_uid == int(passwd["ann"].split(":")[2])
        assert next((root / "home/core/.ssh").rglob("ignition")).read_text().split() == ["k2", "k3"]
