"""Disks, filesystems and swap: what cannot be is refused, with its place."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.model.unit import escaped
from coreops.errors import InputError
from tests.cloudconfig.support import node

DISK = "storage:\n  disks:\n    - device: /dev/sdb\n      partitions:\n        "
FILESYSTEM = "storage:\n  filesystems:\n    - "


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("swap: {file: swap, size_mib: 1}", "1:14", "must be absolute"),
        ("swap: {file: /a b, size_mib: 1}", "1:14", "'/a b' is not a value for swap.file"),
        ("swap: {file: /usr/swap, size_mib: 1}", "1:14", "/usr is read-only"),
        ("swap: {file: /swap, size_mib: 0}", "1:31", "greater than or equal to 1"),
        ("swap: {file: /swap}", "1:7", "swap.size_mib is missing"),
        ("swap: {file: /s, size_mib: 1}\nwrite_files: [{path: /s}]", "1:14", "/s is one of write_files too"),
        (f"swap: {{file: /{'-' * 61}, size_mib: 1}}", "1:14", "too long for the name of a unit"),
        (DISK + "[{label: a, size_mib: 1}, {label: a}]", "5:43", "the label a is there twice"),
        (DISK + "[{label: a, number: 1, size_mib: 1}, {label: b, number: 1}]", "5:65", "partition number 1 is there"),
        (DISK + "[{label: a}, {label: b}]", "5:22", "what is left of the disk"),
        (
            DISK + "[{label: a, start_mib: 1, size_mib: 5}, {label: b, start_mib: 5}]",
            "5:71",
            "inside the partition 'a'",
        ),
        (DISK + "[{label: a, type_guid: swap}]", "5:32", "is not a value"),
        (DISK + "[{label: 'a:b'}]", "5:18", "is not a value"),
        ("storage: {disks: [{device: /dev/a}, {device: /dev/a}]}", "1:46", "the device /dev/a is there twice"),
        ("storage: {disks: [{device: sdb}]}", "1:28", "is not a value"),
        (FILESYSTEM + "{device: /dev/a, format: ext5}", "3:32", "must be 'ext4'"),
        (FILESYSTEM + "{device: /dev/a, format: swap, path: /a}", "3:44", "swap is not mounted"),
        (FILESYSTEM + "{device: /dev/a, format: xfs, label: abcdefghijklm}", "3:44", "xfs takes a label of 12 bytes"),
        (FILESYSTEM + "{device: /dev/a, format: xfs, mount_options: [ro]}", "3:52", "mount_options need a path"),
        (FILESYSTEM + "{device: /dev/a, format: xfs, path: a}", "3:43", "must be absolute"),
        (
            FILESYSTEM + "{device: /dev/a, format: xfs, path: /a}\n    - {device: /dev/b, format: xfs, path: /a}",
            "4:43",
            "the path /a is there twice",
        ),
        (
            FILESYSTEM + "{device: /dev/a, format: xfs}\n    - {device: /dev/a, format: xfs}",
            "4:16",
            "the device /dev/a is there twice",
        ),
        (
            "storage: {disks: [{device: /dev/a, partitions: [{label: a}]}],\n"
            " filesystems: [{device: /dev/a, format: xfs}]}",
            "2:25",
            "divided into partitions",
        ),
        (
            "write_files: [{path: /a}]\nstorage: {filesystems: [{device: /dev/a, format: xfs, path: /a}]}",
            "2:61",
            "/a is one of write_files too",
        ),
    ],
)
def test_what_cannot_be(text: str, where: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        node(text)
    assert caught.value.where == f"node.yml:{where}"
    assert what in str(caught.value)


def test_what_can_be() -> None:
    made = node(
        DISK + "[{label: a, size_mib: 8, start_mib: 1}, {label: b, start_mib: 9}]\n"
        "  filesystems:\n    - {device: /dev/disk/by-partlabel/a, format: swap, mount-options: [discard]}\n"
    )
    assert made.storage is not None
    assert [each.number for each in made.storage.disks[0].partitions] == [0, 0]


@given(st.text(st.sampled_from(".a-_:/\\x é@"), min_size=1, max_size=12))
def test_names_of_units_are_those_of_systemd(text: str) -> None:
    names = [part for part in text.split("/") if part not in ("", ".", "..")]
    path = "/" + "/".join(names)
    if names:
        assert set(escaped(path)) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_:\\")


def test_the_real_systemd_escape_agrees() -> None:
    program = shutil.which("systemd-escape")
    if program is None:
        pytest.skip("systemd-escape is not installed")
    paths = ["/var/swap", "/var/lib/e-t.c/.x@y+z", "/.a", "/dev/disk/by-id/a\\x20b", "/é"]
    done = subprocess.run([program, "--path", "--", *paths], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [escaped(path) for path in paths]
