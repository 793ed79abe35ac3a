"""The options of etcd 0.4 (``etcd``) and 2 (``etcd2``); the names are the flags'."""

from __future__ import annotations

from typing import Literal

from coreops.cloudconfig.model.base import Line, Part


class Etcd(Part):
    """``coreos.etcd``: etcd 0.4, gone since 2015."""

    addr: Line | None = None
    bind_addr: Line | None = None
    ca_file: Line | None = None
    cert_file: Line | None = None
    cluster_active_size: int | None = None
    cluster_remove_delay: float | None = None
    cluster_sync_interval: float | None = None
    cors: Line | None = None
    data_dir: Line | None = None
    discovery: Line | None = None
    graphite_host: Line | None = None
    http_read_timeout: float | None = None
    http_write_timeout: float | None = None
    key_file: Line | None = None
    max_result_buffer: int | None = None
    max_retry_attempts: int | None = None
    name: Line | None = None
    peer_addr: Line | None = None
    peer_bind_addr: Line | None = None
    peer_ca_file: Line | None = None
    peer_cert_file: Line | None = None
    peer_election_timeout: int | None = None
    peer_heartbeat_interval: int | None = None
    peer_key_file: Line | None = None
    peers: Line | None = None
    peers_file: Line | None = None
    retry_interval: float | None = None
    snapshot: bool | None = None
    snapshot_count: int | None = None
    trace: bool | None = None
    verbose: bool | None = None
    very_verbose: bool | None = None
    very_very_verbose: bool | None = None


class Etcd2(Part):
    """``coreos.etcd2``."""

    advertise_client_urls: Line | None = None
    ca_file: Line | None = None
    cert_file: Line | None = None
    client_cert_auth: bool | None = None
    cors: Line | None = None
    data_dir: Line | None = None
    debug: bool | None = None
    discovery: Line | None = None
    discovery_fallback: Literal["exit", "proxy"] | None = None
    discovery_proxy: Line | None = None
    discovery_srv: Line | None = None
    election_timeout: int | None = None
    enable_pprof: bool | None = None
    force_new_cluster: bool | None = None
    heartbeat_interval: int | None = None
    initial_advertise_peer_urls: Line | None = None
    initial_cluster: Line | None = None
    initial_cluster_state: Literal["new", "existing"] | None = None
    initial_cluster_token: Line | None = None
    key_file: Line | None = None
    listen_client_urls: Line | None = None
    listen_peer_urls: Line | None = None
    log_package_levels: Line | None = None
    max_snapshots: int | None = None
    max_wals: int | None = None
    name: Line | None = None
    peer_ca_file: Line | None = None
    peer_cert_file: Line | None = None
    peer_client_cert_auth: bool | None = None
    peer_key_file: Line | None = None
    peer_trusted_ca_file: Line | None = None
    proxy: Literal["on", "off", "readonly"] | None = None
    proxy_dial_timeout: int | None = None
    proxy_failure_wait: int | None = None
    proxy_read_timeout: int | None = None
    proxy_refresh_interval: int | None = None
    proxy_write_timeout: int | None = None
    snapshot_count: int | None = None
    strict_reconfig_check: bool | None = None
    trusted_ca_file: Line | None = None
    wal_dir: Line | None = None
