"""The options of fleet."""

from __future__ import annotations

from coreops.cloudconfig.model.base import Line, Part


class Fleet(Part):
    """``coreos.fleet``."""

    agent_ttl: Line | None = None
    authorized_keys_file: Line | None = None
    disable_engine: bool | None = None
    engine_reconcile_interval: float | None = None
    etcd_cafile: Line | None = None
    etcd_certfile: Line | None = None
    etcd_keyfile: Line | None = None
    etcd_key_prefix: Line | None = None
    etcd_request_timeout: float | None = None
    etcd_servers: Line | None = None
    etcd_username: Line | None = None
    etcd_password: Line | None = None
    metadata: Line | None = None
    public_ip: Line | None = None
    token_limit: int | None = None
    verbosity: int | None = None
    verify_units: bool | None = None
