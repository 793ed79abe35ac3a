"""From a Node to bytes: one file a target, one function each, ``(Node) -> Rendered``. Imports pydantic: import it late.

Guarantees: deterministic; every key of the node is in the bytes or among the losses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from coreops.cloudconfig.loss import Rendered
from coreops.cloudconfig.model import Node
from coreops.cloudconfig.targets import cloud_init, coreos

TARGETS: Final[dict[str, Callable[[Node], Rendered]]] = {"coreos": coreos.render, "cloud-init": cloud_init.render}

__all__ = ["TARGETS"]
