"""The options of flannel."""

from __future__ import annotations

from coreops.cloudconfig.model.base import Line, Part


class Flannel(Part):
    """``coreos.flannel``."""

    etcd_endpoints: Line | None = None
    etcd_cafile: Line | None = None
    etcd_certfile: Line | None = None
    etcd_keyfile: Line | None = None
    etcd_prefix: Line | None = None
    etcd_username: Line | None = None
    etcd_password: Line | None = None
    ip_masq: Line | None = None
    subnet_file: Line | None = None
    interface: Line | None = None
    public_ip: Line | None = None
