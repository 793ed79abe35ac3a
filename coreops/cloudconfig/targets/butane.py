"""Butane's YAML, variant ``flatcar``: for people to read and keep; ``butane`` makes the Ignition config of it."""

from __future__ import annotations

import base64
from typing import Any

from coreops.cloudconfig.emit import emit
from coreops.cloudconfig.loss import Rendered
from coreops.cloudconfig.model.node import Node
from coreops.cloudconfig.targets import specs
from coreops.cloudconfig.targets.flatcar import File, lower, sections


class Octal(int):
    """A mode as people write it."""

    def __str__(self) -> str:
        return f"{int(self):#05o}".replace("o", "", 1)


def render(node: Node, spec: str | None = None) -> Rendered:
    """Return the document and what it does not say. Raises InputError for keys that fight, and for an unknown spec."""
    chosen = specs.find(spec)
    lowered = lower(node, chosen)
    found = {"variant": "flatcar", "version": chosen.butane} | sections(lowered, _contents, Octal)
    return Rendered(emit(found).encode(), lowered.losses)


def _contents(file: File) -> dict[str, Any]:
    coded = {"source": f"data:;base64,{base64.b64encode(file.data).decode()}"}
    if file.gzip:
        return {"compression": "gzip"} | coded
    try:
        return {"inline": file.data.decode()}
    except UnicodeDecodeError:
        return coded
