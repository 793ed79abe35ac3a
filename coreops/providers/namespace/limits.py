"""What user-data asks for that a namespace node cannot do, told before it boots. Reads ``#cloud-config`` only. Pure.

A document that cannot be read is not judged here: cloud-init says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from coreops import yaml_marks
from coreops.errors import InputError

_HEADER: Final = b"#cloud-config"
_NO_PACKAGES: Final = "a node has no package manager, and /usr is read-only; cloud-init will report an error"
_NEVER: Final = "this is never run, as a node has no boot loader, no apt and a disk of fixed size"
_KEYS: Final = {
    "swap": "it is made and in /etc/fstab, but not on: a node has the host's kernel, and its swap would be the host's",
    "packages": _NO_PACKAGES,
    "package_update": _NO_PACKAGES,
    "package_upgrade": _NO_PACKAGES,
    "disk_setup": "a node has one disk, and that is in use; cloud-init will report an error",
    "apt": _NEVER,
    "growpart": _NEVER,
    "resize_rootfs": _NEVER,
    "grub_dpkg": _NEVER,
}
_MOUNT: Final = "systemd finds no devices in a node, which has no udev: the mount fails, and the next boot stops at it"
_OF_A_DEVICE: Final = re.compile(r"(?:/dev/|(?:PART)?(?:LABEL|UUID)=)")
_UNIT_OF_A_DEVICE: Final = re.compile(rf"^What\s*=\s*{_OF_A_DEVICE.pattern}", re.MULTILINE)
_OFF: Final = frozenset({"", "~", "null", "false", "no", "off"})


def limits(document: bytes) -> tuple[str, ...]:
    """What of a document a node cannot do, and why."""
    if not document.startswith(_HEADER):
        return ()
    try:
        root = yaml_marks.compose(yaml_marks.decode(document, "user-data"), "user-data")
    except InputError:
        return ()
    keys = _pairs(root)
    found = [f"{key}: {why}" for key, why in _KEYS.items() if _asked(keys.get(key))]
    return (*found, *(f"{name}: {_MOUNT}" for name in _mounts(keys)))


def foresee(documents: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    """What nodes cannot do of their user-data: each thing once, with the nodes that ask for it."""
    found: dict[str, tuple[str, ...]] = {}
    for node, document in documents.items():
        for text in limits(document):
            found[text] = (*found.get(text, ()), node)
    return found


def _mounts(keys: Mapping[str, Node]) -> Iterator[str]:
    """Mounts of devices: entries of ``mounts``, and the units that a render writes instead."""
    for entry in _items(keys.get("mounts")):
        if (words := _items(entry)) and _OF_A_DEVICE.match(_text(words[0])):
            yield f"mounts of {_text(words[0])}"
    for each in _items(keys.get("write_files")):
        file = _pairs(each)
        path = PurePosixPath(_text(file.get("path")))
        if path.suffix == ".mount" and _UNIT_OF_A_DEVICE.search(_text(file.get("content"))):
            yield path.name


def _pairs(node: Node | None) -> dict[str, Node]:
    return {_text(key): value for key, value in node.value} if isinstance(node, MappingNode) else {}


def _items(node: Node | None) -> list[Node]:
    return node.value if isinstance(node, SequenceNode) else []


def _text(node: Node | None) -> str:
    return node.value if isinstance(node, ScalarNode) else ""


def _asked(node: Node | None) -> bool:
    if isinstance(node, ScalarNode):
        return node.value.lower() not in _OFF
    return node is not None and bool(node.value)
