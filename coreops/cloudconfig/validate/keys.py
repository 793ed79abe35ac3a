"""The keys of coreos-cloudinit as data: names, types, values that are valid, what is deprecated and why.

From the structures in its ``config/`` folder. Knows nothing of documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

Type = Literal["text", "int", "float", "bool", "list", "mapping"]


@dataclass(frozen=True, slots=True)
class Key:
    """What a key takes.

    valid: a pattern; like: what it means.
    item: of a list; keys: of a mapping; ignored: documented keys that do nothing.
    """

    type: Type
    valid: str = ""
    like: str = ""
    deprecated: str = ""
    item: Key | None = None
    keys: Mapping[str, Key] = field(default_factory=lambda: MappingProxyType({}))
    ignored: frozenset[str] = frozenset()


def _all(kind: Type, names: str, deprecated: str = "") -> dict[str, Key]:
    return {name: Key(kind, deprecated=deprecated) for name in names.split()}


def _mapping(*parts: Mapping[str, Key], ignored: str = "", deprecated: str = "") -> Key:
    keys = {name: key for part in parts for name, key in part.items()}
    return Key("mapping", keys=keys, ignored=frozenset(ignored.split()), deprecated=deprecated)


def _list(item: Key) -> Key:
    return Key("list", item=item)


_GONE: Final = "{} is no longer shipped in Container Linux"
_FETCH: Final = "trying to fetch from a remote endpoint introduces too many intermittent errors"
_NOT_IN_ETCD: Final = "etcd2 options no longer work for etcd"
_TEXTS: Final = _list(Key("text"))

_ETCD = _mapping(
    _all(
        "text",
        "addr bind_addr ca_file cert_file cors data_dir discovery graphite_host key_file name peer_addr peer_bind_addr "
        "peer_ca_file peer_cert_file peer_key_file peers peers_file trace",
    ),
    _all(
        "int",
        "cluster_active_size max_result_buffer max_retry_attempts peer_election_timeout peer_heartbeat_interval "
        "snapshot_count",
    ),
    _all("float", "cluster_remove_delay cluster_sync_interval http_read_timeout http_write_timeout retry_interval"),
    _all("bool", "snapshot verbose very_verbose very_very_verbose"),
    _all(
        "text",
        "advertise_client_urls discovery_fallback discovery_srv discovery_proxy initial_advertise_peer_urls "
        "initial_cluster initial_cluster_state initial_cluster_token listen_client_urls listen_peer_urls proxy",
        _NOT_IN_ETCD,
    ),
    _all("int", "election_timeout heartbeat_interval max_snapshots max_wals", _NOT_IN_ETCD),
    _all("bool", "force_new_cluster", _NOT_IN_ETCD),
    deprecated=_GONE.format("etcd"),
)
_ETCD2 = _mapping(
    _all(
        "text",
        "advertise_client_urls cert_file cors data_dir discovery discovery_fallback discovery_srv discovery_proxy "
        "initial_advertise_peer_urls initial_cluster initial_cluster_state initial_cluster_token key_file "
        "listen_client_urls listen_peer_urls log_package_levels name peer_cert_file peer_key_file "
        "peer_trusted_ca_file trusted_ca_file wal_dir",
    ),
    _all(
        "int",
        "election_timeout heartbeat_interval max_snapshots max_wals proxy_dial_timeout proxy_failure_wait "
        "proxy_read_timeout proxy_refresh_interval proxy_write_timeout snapshot_count",
    ),
    _all("bool", "client_cert_auth debug enable_pprof force_new_cluster peer_client_cert_auth strict_reconfig_check"),
    _all("text", "ca_file", "ca_file obsoleted by trusted_ca_file and client_cert_auth"),
    _all("text", "peer_ca_file", "peer_ca_file obsoleted by peer_trusted_ca_file and peer_client_cert_auth"),
    {"proxy": Key("text", r"on|off|readonly")},
    deprecated=_GONE.format("etcd2"),
)
_FLEET = _mapping(
    _all(
        "text",
        "agent_ttl authorized_keys_file etcd_cafile etcd_certfile etcd_keyfile etcd_key_prefix etcd_servers "
        "etcd_username etcd_password metadata public_ip",
    ),
    _all("float", "engine_reconcile_interval etcd_request_timeout"),
    _all("int", "token_limit verbosity"),
    _all("bool", "disable_engine verify_units"),
    deprecated=_GONE.format("fleet"),
)
_FLANNEL = _mapping(
    _all(
        "text",
        "etcd_endpoints etcd_cafile etcd_certfile etcd_keyfile etcd_prefix etcd_username etcd_password ip_masq "
        "subnet_file interface public_ip",
    )
)
_LOCKSMITH = _mapping(
    _all("text", "endpoint etcd_cafile etcd_certfile etcd_keyfile etcd_username etcd_password group"),
    {
        "window_start": Key(
            "text",
            r"((?i:sun|mon|tue|wed|thu|fri|sat) )?0*([0-9]|1[0-9]|2[0-3]):0*([0-9]|[1-5][0-9])",
            "write it like Thu 04:00",
        ),
        # Each number needs its own unit; the original pattern, nested, takes forever on hostile text.
        "window_length": Key("text", r"[-+]?([0-9]+(\.[0-9]*)?[a-z]+|\.[0-9]+[a-z]+)+", "write it like 1h30m"),
    },
)
_UNIT = _mapping(
    _all("text", "name content"),
    _all("bool", "mask enable runtime"),
    {
        "command": Key("text", r"start|stop|restart|reload|try-restart|reload-or-restart|reload-or-try-restart"),
        "drop_ins": _list(_mapping(_all("text", "name content"))),
    },
)
_COREOS = _mapping(
    {
        "etcd": _ETCD,
        "etcd2": _ETCD2,
        "flannel": _FLANNEL,
        "fleet": _FLEET,
        "locksmith": _LOCKSMITH,
        "oem": _mapping(_all("text", "id name version_id home_url bug_report_url")),
        "update": _mapping(
            {"reboot_strategy": Key("text", r"etcd-lock|reboot|off")},
            _all("text", "group server"),
        ),
        "units": _list(_UNIT),
    }
)
_USER = _mapping(
    _all("text", "name passwd primary_group"),
    dict.fromkeys(
        ("gecos", "homedir", "shell"), Key("text", r"[^:\n]*", "useradd refuses : and line breaks, and fails")
    ),
    _all("bool", "no_create_home no_user_group system no_log_init"),
    {"ssh_authorized_keys": _TEXTS, "groups": _TEXTS},
    _all("text", "coreos_ssh_import_github coreos_ssh_import_url", _FETCH),
    {"coreos_ssh_import_github_users": replace(_TEXTS, deprecated=_FETCH)},
    ignored="inactive lock_passwd sudo selinux_user ssh_import_id",
)
_FILE = _mapping(
    _all("text", "path content owner"),
    {
        "permissions": Key("text", r"0?[0-7]{3,4}", "write it like '0644'"),
        "encoding": Key("text", r"base64|b64|gz|gzip|gz\+base64|gzip\+base64|gz\+b64|gzip\+b64"),
    },
)
CLOUD_CONFIG: Final = _mapping(
    {
        "ssh_authorized_keys": _TEXTS,
        "coreos": _COREOS,
        "write_files": _list(_FILE),
        "hostname": Key("text"),
        "users": _list(_USER),
        "manage_etc_hosts": Key("text", "localhost"),
    }
)
CLOUD_INIT: Final = frozenset(
    _all(
        "text",
        "apt apt_get bootcmd ca_certs chpasswd disk_setup disable_root final_message fqdn fs_setup groups growpart "
        "keyboard locale mounts ntp package_update package_upgrade packages password phone_home power_state "
        "preserve_hostname random_seed resize_rootfs resolv_conf rsyslog runcmd snap ssh_deletekeys ssh_import_id "
        "ssh_keys ssh_pwauth swap timezone user yum_repos",
    )
)
"""Keys that Debian's and Ubuntu's cloud-init knows and coreos-cloudinit ignores."""
