"""What each agent is to be: its configuration as Nomad's JSON, its certificate, what the playbook needs to know."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from coreops.schedulers.nomad import settings
from coreops.schedulers.nomad.acl import TOKEN
from coreops.schedulers.protocol import Cluster, Host
from coreops.store.pki import Leaf

GOSSIP = "nomad-gossip"
FOLDER = "/etc/nomad.d"
PKI = f"{FOLDER}/pki"


def leaf(host: Host) -> Leaf:
    """Nomad tells servers from clients by a name in their certificates, and asks for itself as localhost."""
    role = "server" if host.role == "manager" else "client"
    names = [f"{role}.{settings.of(host).region}.nomad", "localhost", "127.0.0.1", host.address]
    return Leaf(f"nomad/{host.name}", f"nomad {host.name}", tuple(dict.fromkeys(names)))


def agent(cluster: Cluster, host: Host) -> dict[str, Any]:
    """The content of nomad.json. The gossip key and ``bootstrap_expect`` have files of their own: one is secret, the
    other is there for the first start only.
    """
    own = settings.of(host)
    join = {"server_join": {"retry_join": _peers(cluster, host), "retry_interval": "3s"}}
    config: dict[str, Any] = {
        "name": host.name,
        "region": own.region,
        "datacenter": own.datacenter,
        "data_dir": own.data_dir,
        "bind_addr": "::" if _is_v6(host.address) else "0.0.0.0",
        "ports": {"http": own.http_port, "rpc": own.rpc_port, "serf": own.serf_port},
        "advertise": {
            "http": f"{_bracket(host.address)}:{own.http_port}",
            "rpc": f"{_bracket(host.address)}:{own.rpc_port}",
            "serf": f"{_bracket(host.address)}:{own.serf_port}",
        },
        "leave_on_interrupt": False,
        "leave_on_terminate": False,
        "disable_update_check": True,
        "tls": {
            "http": True,
            "rpc": True,
            "ca_file": f"{PKI}/ca.crt",
            "cert_file": f"{PKI}/node.crt",
            "key_file": f"{PKI}/node.key",
            "verify_server_hostname": True,
            "verify_https_client": True,
        },
        "server": {"enabled": host.role == "manager"},
        "client": {"enabled": own.client},
    }
    if own.acl:
        config["acl"] = {"enabled": True}
    if host.role == "manager":
        config["server"] |= join
    if own.client:
        placing = {"node_class": own.node_class, "node_pool": own.node_pool}
        config["client"] |= {
            **{key: value for key, value in placing.items() if value},
            "server_join": {**join["server_join"], "retry_join": _servers(cluster)},
            "meta": {
                **{settings.meta_key(key): value for key, value in sorted(host.labels.items())},
                "coreops_host": host.name,
            },
            "reserved": {"reserved_ports": own.reserved},
        }
    return _merged(config, own.config)


def variables(cluster: Cluster, archives: Mapping[str, str], pki: str) -> dict[str, Any]:
    """What playbooks/nomad.yml sees."""
    hosts = {}
    for host in cluster.hosts:
        own = settings.of(host)
        archive = archives.get(host.name, "")
        hosts[host.name] = {
            "archive": archive,
            "release": PurePosixPath(archive).name.partition(".")[0][:12],
            "config": json.dumps(agent(cluster, host), indent=2, sort_keys=True, ensure_ascii=True) + "\n",
            "data_dir": own.data_dir,
            "server": host.role == "manager",
            "user": "root" if own.client else "nomad",
            "token": host.role == "manager" and own.acl,
        }
    return {
        "nomad_hosts": hosts,
        "nomad_pki": pki,
        "nomad_gossip": f"{pki}/{GOSSIP}",
        "nomad_token": f"{pki}/{TOKEN}",
        "nomad_expect": len(cluster.managers),
    }


def _peers(cluster: Cluster, host: Host) -> list[str]:
    """Where a server finds the gossip of the others; of itself when it is the only one."""
    others = [each for each in cluster.managers if each is not host] or [host]
    return [f"{_bracket(each.address)}:{settings.of(each).serf_port}" for each in others]


def _servers(cluster: Cluster) -> list[str]:
    return [f"{_bracket(each.address)}:{settings.of(each).rpc_port}" for each in cluster.managers]


def _merged(own: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The operator's additions; what coreops owns is not among them (``settings.OWNED``)."""
    merged = dict(own)
    for key, value in extra.items():
        mine = merged.get(key)
        merged[key] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, Mapping) else value
    return merged


def _is_v6(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).version == 6
    except ValueError:
        return False


def _bracket(address: str) -> str:
    return f"[{address}]" if _is_v6(address) else address
