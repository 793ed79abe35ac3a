"""The options of etcd: of 0.4 (``etcd``), of 2 (``etcd2``) and of 3 (``etcd_member``); the names are the flags'."""

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


class EtcdMember(Part):
    """``coreos.etcd_member``: etcd 3."""

    advertise_client_urls: Line | None = None
    auth_token: Line | None = None
    auth_token_ttl: int | None = None
    auto_compaction_mode: Literal["periodic", "revision"] | None = None
    auto_compaction_retention: Line | None = None
    auto_tls: bool | None = None
    backend_batch_interval: Line | None = None
    backend_batch_limit: int | None = None
    bcrypt_cost: int | None = None
    cert_file: Line | None = None
    cipher_suites: Line | None = None
    client_cert_auth: bool | None = None
    client_crl_file: Line | None = None
    cors: Line | None = None
    data_dir: Line | None = None
    discovery: Line | None = None
    discovery_endpoints: Line | None = None
    discovery_fallback: Literal["exit", "proxy"] | None = None
    discovery_proxy: Line | None = None
    discovery_srv: Line | None = None
    discovery_srv_name: Line | None = None
    discovery_token: Line | None = None
    election_timeout: int | None = None
    enable_pprof: bool | None = None
    enable_v2: bool | None = None
    force_new_cluster: bool | None = None
    grpc_keepalive_interval: Line | None = None
    grpc_keepalive_min_time: Line | None = None
    grpc_keepalive_timeout: Line | None = None
    heartbeat_interval: int | None = None
    host_whitelist: Line | None = None
    initial_advertise_peer_urls: Line | None = None
    initial_cluster: Line | None = None
    initial_cluster_state: Literal["new", "existing"] | None = None
    initial_cluster_token: Line | None = None
    initial_election_tick_advance: bool | None = None
    key_file: Line | None = None
    listen_client_urls: Line | None = None
    listen_metrics_urls: Line | None = None
    listen_peer_urls: Line | None = None
    log_level: Literal["debug", "info", "warn", "error", "panic", "fatal"] | None = None
    log_outputs: Line | None = None
    max_concurrent_streams: int | None = None
    max_request_bytes: int | None = None
    max_snapshots: int | None = None
    max_txn_ops: int | None = None
    max_wals: int | None = None
    metrics: Literal["basic", "extensive"] | None = None
    name: Line | None = None
    peer_auto_tls: bool | None = None
    peer_cert_allowed_cn: Line | None = None
    peer_cert_allowed_hostname: Line | None = None
    peer_cert_file: Line | None = None
    peer_client_cert_auth: bool | None = None
    peer_crl_file: Line | None = None
    peer_key_file: Line | None = None
    peer_trusted_ca_file: Line | None = None
    pre_vote: bool | None = None
    quota_backend_bytes: int | None = None
    snapshot_count: int | None = None
    strict_reconfig_check: bool | None = None
    trusted_ca_file: Line | None = None
    wal_dir: Line | None = None
