"""What a lab tells of user-data before it boots a node with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.targets.cloud_init import render
from coreops.providers.namespace.limits import foresee, limits
from tests.cloudconfig.support import node


def keys(text: str) -> list[str]:
    return [each.partition(": ")[0] for each in limits(f"#cloud-config\n{text}\n".encode())]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hostname: a", []),
        ("swap: {filename: /swap, size: 1}", ["swap"]),
        ("packages: [vim]", ["packages"]),
        ("packages: []", []),
        ("package_update: true", ["package_update"]),
        ("package_update: off", []),
        ("package_update: ~", []),
        ("{apt: {conf: x}, disk_setup: {/dev/vda: {}}}", ["disk_setup", "apt"]),
        (
            "mounts: [[/dev/vda6, /a], [LABEL=DATA, /b], [tmpfs, /c], [], x]",
            ["mounts of /dev/vda6", "mounts of LABEL=DATA"],
        ),
        ('write_files: [{path: /etc/systemd/system/a.mount, content: "[Mount]\\nWhat=/dev/vda7\\n"}]', ["a.mount"]),
        ('write_files: [{path: /etc/systemd/system/a.mount, content: "[Mount]\\nWhat=tmpfs\\n"}]', []),
        ('write_files: [{path: /etc/a, content: "What=/dev/vda7\\n"}]', []),
        ("hostname: [unclosed", []),
        ("- a list", []),
    ],
)
def test_what_a_node_cannot_do(text: str, found: list[str]) -> None:
    assert keys(text) == found


@pytest.mark.parametrize("document", [b"", b"#!/bin/sh\n", b"\x1f\x8b\0", b"#cloud-config\n\xff", b"packages: [vim]\n"])
def test_other_documents_are_left_alone(document: bytes) -> None:
    assert limits(document) == ()


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_nothing_gets_it_to_raise(data: bytes) -> None:
    limits(b"#cloud-config\n" + data)


def test_each_thing_is_told_once_with_those_who_ask() -> None:
    packages, both = b"#cloud-config\npackages: [a]\n", b"#cloud-config\n{packages: [a], swap: {size: 1}}\n"
    told = foresee({"n1": packages, "n2": b"#cloud-config\n", "n3": both})
    assert [(text.partition(":")[0], nodes) for text, nodes in told.items()] == [
        ("packages", ("n1", "n3")),
        ("swap", ("n3",)),
    ]


def test_of_what_is_rendered() -> None:
    disks = "storage: {filesystems: [{device: /dev/vda7, format: ext4, path: /var/lib/data}]}"
    one = node(f"{disks}\nswap: {{file: /swap, size_mib: 9}}\n")
    told = [each.partition(": ")[0] for each in limits(render(one).data)]
    assert told == ["swap", "var-lib-data.mount"]
