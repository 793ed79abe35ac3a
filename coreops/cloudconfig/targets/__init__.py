"""From a Node to bytes: one file a target, one function each. Imports pydantic: import it late.

``TARGETS[name](node, spec=None)``; spec is a version of Ignition's spec, for the targets that have one.
Guarantees: deterministic; every key of the node is in the bytes or among the losses.
"""

from __future__ import annotations

from typing import Final, Protocol

from coreops.cloudconfig.loss import Rendered
from coreops.cloudconfig.model import Node
from coreops.cloudconfig.targets import butane, cloud_init, coreos, ignition
from coreops.errors import InputError


class Target(Protocol):
    """Raises InputError for keys that fight over one file, and for a spec that there is not."""

    def __call__(self, node: Node, spec: str | None = None) -> Rendered: ...


def _coreos(node: Node, spec: str | None = None) -> Rendered:
    _no_spec("coreos", spec)
    return coreos.render(node)


def _cloud_init(node: Node, spec: str | None = None) -> Rendered:
    _no_spec("cloud-init", spec)
    return cloud_init.render(node)


def _no_spec(target: str, spec: str | None) -> None:
    if spec is not None:
        raise InputError(
            f"the target {target} has no spec to choose", next="leave out --spec, or take ignition or butane"
        )


TARGETS: Final[dict[str, Target]] = {
    "coreos": _coreos,
    "cloud-init": _cloud_init,
    "ignition": ignition.render,
    "butane": butane.render,
}

__all__ = ["TARGETS", "Target"]
