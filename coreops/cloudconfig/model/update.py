"""How the operating system updates itself."""

from __future__ import annotations

from typing import Literal

from coreops.cloudconfig.model.base import Line, Part


class Update(Part):
    """``coreos.update``."""

    reboot_strategy: Literal["etcd-lock", "reboot", "off"] | None = None
    group: Line | None = None
    server: Line | None = None
