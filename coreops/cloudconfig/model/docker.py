"""The flags of the docker daemon. Not in CoreOS's cloud-config, where users write the drop-in by hand."""

from __future__ import annotations

from coreops.cloudconfig.model.base import Line, Part


class Docker(Part):
    """``coreos.docker``. ``flags``: as on dockerd's command line, e.g. ``--log-driver=journald``."""

    flags: tuple[Line, ...] = ()
