"""A host's node: the role's template, the platform's on it, the inventory's ``node`` on top."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.cloudconfig.read import Host, Reader, Variable
from coreops.errors import InputError
from coreops.model import Position

HERE = Position("hosts.yml", 3, 5)
ROLE = """
hostname: role
write_files: [{path: /a, content: role, owner: root}, {path: /b, content: role}]
storage: {disks: [{device: /dev/sdb, wipe_table: true, partitions: [{label: a, size_mib: 1}]}]}
"""


def read(folder: Path, platform: str = "qemu", **variables: Any) -> Any:
    own = {name: Variable(value, HERE) for name, value in variables.items()}
    host = Host("n1", "worker", own, lambda value, place: value, object())
    return Reader(folder).read(host, "coreos", PLATFORMS[platform]).plain


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "platforms").mkdir()
    (tmp_path / "worker.yml").write_text(ROLE)
    (tmp_path / "platforms" / "ec2.yml").write_text("host-name: x\nwrite-files: [{path: /a, content: ec2}]\n")
    return tmp_path


def test_the_platform_is_laid_over_the_role_and_the_inventory_over_both(folder: Path) -> None:
    assert read(folder)["write_files"][0] == {"path": "/a", "content": "role", "owner": "root"}
    found = read(folder, "ec2", node={"write_files": [{"path": "/a", "owner": "core"}, {"path": "/c"}]})
    assert found["write_files"] == (
        {"path": "/a", "content": "ec2", "owner": "core"},
        {"path": "/b", "content": "role"},
        {"path": "/c"},
    )


def test_disks_and_partitions_merge_by_what_they_are(folder: Path) -> None:
    over = {"disks": [{"device": "/dev/sdb", "partitions": [{"label": "a", "size_mib": 2}, {"label": "b"}]}]}
    (disk,) = read(folder, node={"storage": over})["storage"]["disks"]
    assert disk == {
        "device": "/dev/sdb",
        "wipe_table": True,
        "partitions": ({"label": "a", "size_mib": 2}, {"label": "b"}),
    }


def test_an_address_that_nobody_knows_is_told_with_its_host(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(folder, node={"hostname": "$private_ipv4"})
    assert str(caught.value).startswith("hosts.yml:3:5: nobody knows $private_ipv4 on qemu (host n1)")


@pytest.mark.parametrize(("data", "said"), [(b"- a\n", "must be a mapping"), (b"a: \0", "a binary file")])
def test_a_platforms_template_that_is_none(folder: Path, data: bytes, said: str) -> None:
    (folder / "platforms" / "gce.yml").write_bytes(data)
    with pytest.raises(InputError, match=said):
        read(folder, "gce")
    assert read(folder)["hostname"] == "role"


def test_a_byte_order_mark_is_no_part_of_the_text(folder: Path) -> None:
    (folder / "worker.yml").write_bytes(b"\xef\xbb\xbfhostname: a\n")
    assert read(folder) == {"hostname": "a"}
