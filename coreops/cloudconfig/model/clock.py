"""Where the time comes from. Not in CoreOS's cloud-config, where users write the file by hand."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from coreops.cloudconfig.model.base import Line, Part


class Clock(Part):
    """``time``. ``servers``: for systemd-timesyncd. ``zone``: a name under /usr/share/zoneinfo."""

    servers: tuple[Annotated[Line, Field(pattern=r"^\S+$")], ...] = ()
    zone: Annotated[Line, Field(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$")] | None = None
