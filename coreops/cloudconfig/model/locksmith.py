"""The options of locksmith."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from coreops.cloudconfig.model.base import Line, Part

_DAY = "([Ss]un|[Mm]on|[Tt]ue|[Ww]ed|[Tt]hu|[Ff]ri|[Ss]at)"


class Locksmith(Part):
    """``coreos.locksmith``."""

    endpoint: Line | None = None
    etcd_cafile: Line | None = None
    etcd_certfile: Line | None = None
    etcd_keyfile: Line | None = None
    etcd_username: Line | None = None
    etcd_password: Line | None = None
    group: Line | None = None
    window_start: Annotated[str, Field(pattern=f"^({_DAY} )?([0-9]|0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    window_length: Annotated[str, Field(pattern=r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$")] | None = None

    @model_validator(mode="after")
    def _both(self) -> Locksmith:
        if (self.window_start is None) != (self.window_length is None):
            raise ValueError("window_start and window_length go together")
        return self
