"""User-data of a lab's nodes: read from a render's folder, and offered to a node as the NoCloud seed of cloud-init.

The seed is a folder on the host which the node sees, read-only, as a machine sees its drive. The instance-id follows
the content: changed user-data is a new instance, and cloud-init applies it at the next boot.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from coreops.errors import InputError
from coreops.providers.namespace.host import write_atomically
from coreops.providers.namespace.names import NodeNames

SEED = "/var/lib/cloud/seed/nocloud"
"""Where cloud-init looks for it in the node."""

_TARGET = "cloud-init"
_RENDER = "coreops render --target cloud-init --platform lab -o {}"


def read(folder: Path) -> dict[str, bytes]:
    """Return the documents of a render by their node. Raises InputError."""
    again = _RENDER.format(folder)
    try:
        index: Any = json.loads((folder / "index.json").read_bytes())
        target, nodes = index["target"], index["nodes"]
        files = {str(node): (str(each["file"]), str(each["sha256"])) for node, each in nodes.items()}
    except FileNotFoundError:
        raise InputError("there is no render in this folder (no index.json)", where=folder, next=again) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "index.json cannot be read as that of a render", where=folder, why=str(error), next=again
        ) from None
    if target != _TARGET:
        raise InputError(
            f"this render is for {target}, and the lab's nodes read user-data with cloud-init",
            where=folder,
            next=_RENDER.format("DIR"),
        )
    return {node: _document(folder, name, digest, again) for node, (name, digest) in files.items()}


def _document(folder: Path, name: str, digest: str, again: str) -> bytes:
    try:
        if Path(name).name != name:
            raise FileNotFoundError
        data = (folder / name).read_bytes()
    except OSError as error:
        raise InputError(
            f"index.json names {name!r}, which cannot be read", where=folder, why=error.strerror, next=again
        ) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise InputError(
            f"{name} is not what was rendered: its SHA-256 is not the one in index.json", where=folder, next=again
        )
    return data


def count(documents: Mapping[str, bytes]) -> int:
    """How many nodes n1, n2, ... without a gap a lab could boot from them. Pure."""
    number = 0
    while f"n{number + 1}" in documents:
        number += 1
    return number


def require(nodes: Collection[str], known: Collection[str]) -> None:
    """Check that every node of a lab has user-data. Raises InputError. Pure."""
    if missing := sorted(set(nodes) - set(known), key=lambda name: [int(part) for part in re.findall(r"\d+", name)]):
        raise InputError(
            f"there is no user-data for {', '.join(missing)}",
            why=f"there is some for {', '.join(sorted(known))}" if known else "a lab's nodes are named n1, n2, ...",
            next="render for these hosts too, or boot fewer with --nodes",
        )


def meta_data(names: NodeNames, document: bytes) -> str:
    """The seed's other file. JSON is YAML. Pure."""
    digest = hashlib.sha256(document).hexdigest()[:16]
    return json.dumps({"instance-id": f"{names.lab.lab}-{names.node}-{digest}", "local-hostname": names.node}) + "\n"


def offered(names: NodeNames) -> bool:
    """Say whether the node has a seed."""
    return (names.user_data / "meta-data").exists()


def instance(names: NodeNames) -> str:
    """The instance-id of the node's seed."""
    return str(json.loads((names.user_data / "meta-data").read_text())["instance-id"])


def files(names: NodeNames) -> dict[str, bytes]:
    """The node's seed, as it is on a drive."""
    return {name: (names.user_data / name).read_bytes() for name in ("meta-data", "user-data")}


def offer(names: NodeNames, document: bytes) -> bool:
    """Write the node's seed; say whether it is another than before. It counts from the next boot on."""
    user, meta = names.user_data / "user-data", names.user_data / "meta-data"
    text = meta_data(names, document)
    if meta.exists() and meta.read_text() == text and user.read_bytes() == document:
        return False
    names.user_data.mkdir(mode=0o700, parents=True, exist_ok=True)
    # In this order: a crash in between leaves an instance-id that does not fit, and the next time both are written.
    write_atomically(user, document, 0o600)
    write_atomically(meta, text, 0o600)
    return True
