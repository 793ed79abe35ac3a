"""stat, setup and ping: what is there, told in Ansible's words; hostile values are only data."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.modules.facts import PROBE, parse_facts
from tests.modules.harness import ODD, Node


def test_stat_of_a_file(node: Node, tmp_path: Path) -> None:
    for name in ODD:
        path = tmp_path / name
        path.write_text("x" * 10)
        path.chmod(0o640)
        got = node.run("stat", {"path": str(path)}).data["stat"]
        real = path.stat()
        assert got["checksum"] == hashlib.sha1(b"x" * 10).hexdigest()
        assert (got["exists"], got["isreg"], got["isdir"], got["islnk"], got["mode"]) == (
            True,
            True,
            False,
            False,
            "0640",
        )
        assert (got["size"], got["uid"], got["inode"]) == (10, real.st_uid, real.st_ino)
        assert (got["rusr"], got["wgrp"], got["xoth"]) == (True, False, False)
        assert got["mtime"] == float(int(real.st_mtime))


def test_stat_of_other_things(node: Node, tmp_path: Path) -> None:
    assert node.run("stat", {"path": f"{tmp_path}/none"}).data["stat"] == {"exists": False}
    link = tmp_path / "link"
    link.symlink_to("a\nb/c")
    got = node.run("stat", {"path": str(link)}, check=True).data["stat"]
    assert (got["islnk"], got["lnk_target"], got["isreg"]) == (True, "a\nb/c", False)
    assert node.run("stat", {"path": f"{tmp_path}/", "get_checksum": False}).data["stat"]["isdir"]
    link.unlink()
    link.symlink_to("/etc/passwd")
    raw = {"path": str(link), "follow": True, "checksum_algorithm": "sha256"}
    wanted = hashlib.sha256(Path("/etc/passwd").read_bytes()).hexdigest()
    assert node.run("stat", raw).data["stat"]["checksum"] == wanted
    assert node.run("stat", {"path": str(link)}).data["stat"]["lnk_source"] == "/etc/passwd"


def test_ping(node: Node) -> None:
    assert node.run("ping", {"data": "hello"}).data["ping"] == "hello"


def test_setup(node: Node) -> None:
    facts = node.run("setup").data["ansible_facts"]
    assert facts["nodename"] == socket.gethostname()
    assert facts["architecture"] == platform.machine()
    assert facts["kernel"] == platform.release()
    assert facts["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert facts["processor_vcpus"] >= 1
    assert 0 < facts["memfree_mb"] <= facts["memtotal_mb"]
    assert facts["user_uid"] == os.getuid()
    assert abs(int(facts["date_time"]["epoch"]) * 10**9 - facts["date_time"]["epoch_ns"]) < 5 * 10**9
    root = [mount for mount in facts["mounts"] if mount["mount"] == "/"]
    assert root
    assert isinstance(facts["usr_readonly"], bool)
    assert facts["service_mgr"]
    assert facts["os_release"]["ID"]
    only = node.run("setup", {"filter": ["ansible_mem*", "boot_id"], "gather_subset": "min"}).data["ansible_facts"]
    assert set(only) == {"memtotal_mb", "memfree_mb", "memavailable_mb", "boot_id"}


SAID = r"""nodename n1.lab.example
kernel 6.1.0
boot_id 11111111-2222-3333-4444-555555555555
machine_id 0123456789abcdef0123456789abcdef
uptime 345.12 600.00
architecture x86_64
os NAME="Flatcar Container Linux by Kinvolk"
os ID=flatcar
os ID_LIKE=coreos
os VERSION_ID=4081.2.0
os PRETTY_NAME="$(touch /tmp/owned) `id` \"quoted\" \$HOME"
os BROKEN="no end
os 1BAD=x
os BUILD_ID='it'\''s'
memtotal:        2048000 kB
memfree:         1024000 kB
mount /dev/sda9 / ext4 rw,relatime 0 0
mount /dev/sda3 /usr squashfs ro,relatime 0 0
mount tmpfs /run tmpfs rw 0 0
mount /dev/sdb1 /mnt/a\040b\012c ext4 rw 0 0
df Filesystem     1024-blocks    Used Available Capacity Mounted on
df /dev/sda9         1000000  400000    600000      40% /
nproc 2
user 0 0 root
home /root
date 1700000000 +0000 UTC 2023 11 14 22 13 20 Tuesday
ns 1700000000123456789
addr 1: lo    inet 127.0.0.1/8 scope host lo\       valid_lft forever preferred_lft forever
addr 2: eth0    inet 10.77.0.11/24 brd 10.77.0.255 scope global eth0\       valid_lft forever
addr 2: eth0    inet6 fe80::1/64 scope link \       valid_lft forever
route default via 10.77.0.1 dev eth0 proto static
link 1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue
link 2: eth0@if5: <BROADCAST> mtu 1500
fqdn n1.lab.example
init systemd
systemd systemd 255 (255.4)
state running
"""


def test_what_a_node_says_becomes_facts() -> None:
    facts = parse_facts(SAID)
    assert facts["os_family"] == "Flatcar"
    assert facts["distribution_version"] == "4081.2.0"
    assert facts["os_release"]["PRETTY_NAME"] == '$(touch /tmp/owned) `id` "quoted" $HOME'
    assert facts["os_release"]["BUILD_ID"] == "it's"
    assert facts["os_release"]["BROKEN"] == '"no end'
    assert (facts["hostname"], facts["domain"]) == ("n1", "lab.example")
    assert facts["default_ipv4"] == {
        "address": "10.77.0.11",
        "interface": "eth0",
        "prefix": "24",
        "gateway": "10.77.0.1",
    }
    assert facts["all_ipv6_addresses"] == ["fe80::1"]
    assert facts["interfaces"] == ["lo", "eth0"]
    assert facts["usr_readonly"] is True
    assert facts["mounts"][0]["size_available"] == 600000 * 1024
    assert facts["mounts"][2]["mount"] == "/mnt/a b\nc"
    assert facts["systemd"] == {"version": 255, "state": "running"}
    assert facts["memtotal_mb"] == 2000
    assert facts["uptime_seconds"] == 345
    assert facts["date_time"]["epoch_ns"] == 1700000000123456789
    assert "default_ipv4" in parse_facts("")


def test_without_a_default_route_the_first_reachable_address_counts() -> None:
    facts = parse_facts("\n".join(line for line in SAID.splitlines() if not line.startswith("route")))
    assert facts["default_ipv4"] == {"address": "10.77.0.11", "interface": "eth0", "prefix": "24"}


@given(st.text(max_size=200))
def test_no_output_breaks_the_parser(said: str) -> None:
    parse_facts(said)
    parse_facts("\n".join(f"{word} {said}" for word in ("os", "mount", "df", "addr", "route", "link", "date", "user")))


def test_the_probe_needs_few_processes() -> None:
    assert PROBE.count("$(") <= 12


@pytest.mark.parametrize("bad", [{"path": "x"}, {}])
def test_stat_bad_arguments(bad: dict[str, object]) -> None:
    from coreops.errors import InputError

    with pytest.raises(InputError):
        Node("dash", Path("/")).run("stat", bad)
