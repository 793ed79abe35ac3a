"""What is served: the nodes of one render and the machines they are. Pure; ``load`` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from coreops.delivery.request import Boot
from coreops.delivery.serving.machines import Machines
from coreops.delivery.serving.request import CLOUD_CONFIG, IGNITION, USER_DATA

TARGET_PAGES: Final[dict[str, tuple[str, ...]]] = {
    "coreos": (USER_DATA, CLOUD_CONFIG),
    "cloud-init": (USER_DATA, CLOUD_CONFIG),
    "ignition": (USER_DATA, IGNITION),
}
"""For each target that machines read: the pages that answer with it. Butane is for people."""


@dataclass(frozen=True, slots=True)
class Content:
    """One node's user-data, uncompressed. digest: SHA-256. secret: it holds what only this node may know."""

    node: str
    data: bytes = field(repr=False)
    digest: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Site:
    """All that is served at one moment; replaced as a whole. boot None: no iPXE scripts."""

    target: str
    contents: Mapping[str, Content] = field(repr=False)
    machines: Machines = field(repr=False)
    boot: Boot | None = None

    @property
    def secret(self) -> bool:
        """Whether any node's user-data holds secrets."""
        return any(each.secret for each in self.contents.values())
