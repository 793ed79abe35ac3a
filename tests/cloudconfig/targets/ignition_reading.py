"""Reads Ignition configs; and nodes that the tests of several files render."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote_to_bytes

from coreops.cloudconfig.targets.ignition import render
from tests.cloudconfig.support import node

STORAGE = """
swap: {file: /var/swap, size_mib: 512}
storage:
  disks:
    - device: /dev/disk/by-id/virtio-data
      wipe_table: true
      partitions:
        - {label: data, number: 1, size_mib: 1024, type_guid: 0FC63DAF-8483-4772-8E79-3D69D8477DE4}
        - {label: rest, wipe_partition_entry: true}
  filesystems:
    - {device: /dev/disk/by-partlabel/data, format: ext4, path: /var/lib/data, label: DATA, wipe_filesystem: true,
       options: [-E, nodiscard], mount_options: [noatime, nofail]}
    - {device: /dev/disk/by-partlabel/rest, format: swap}
"""
ACCOUNTS = """
users:
  - {name: ann, passwd: "$6$a$b", groups: [sudo, docker, sudo], shell: /bin/bash, gecos: "A $(id) 'b'", system: true}
  - {name: bob, homedir: /home/b, no_create_home: true, primary_group: users, no_log_init: true}
  - {name: core, ssh_authorized_keys: [k2], groups: [docker]}
ssh_authorized_keys: [k2, k3]
write_files: [{path: /etc/motd, owner: ann}]
"""
HOSTILE = "off\n  'a' \"b\" \\n \\ $(id) `id` $HOME ${HOME} %n %% \t ünï ☃ \U0001f600 \x01\x7f #\u2028\r\n: - ?\n\n"


def said(data: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(data)
    return loaded


def units(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {unit["name"]: unit for unit in found["systemd"]["units"]}


def files(found: dict[str, Any]) -> dict[str, str]:
    return {each["path"]: body(each["contents"]["source"]).decode() for each in found["storage"]["files"]}


def body(url: str) -> bytes:
    kind, _, text = url.removeprefix("data:").partition(",")
    return base64.b64decode(text) if kind == ";base64" else unquote_to_bytes(text)


def losses(text: str, spec: str | None = None) -> list[str]:
    return [str(loss).removeprefix("lost: ") for loss in render(node(text), spec).losses]
