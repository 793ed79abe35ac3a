"""Who made the image."""

from __future__ import annotations

from coreops.cloudconfig.model.base import Line, Part


class Oem(Part):
    """``coreos.oem``."""

    id: Line | None = None
    name: Line | None = None
    version_id: Line | None = None
    home_url: Line | None = None
    bug_report_url: Line | None = None
