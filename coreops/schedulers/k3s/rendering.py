"""What the playbook ``k3s.yml`` sees for each host: configuration, unit, files. Pure.

The configuration holds no secret and nothing that depends on which server was first: that is in
``config.yaml.d/10-coreops-join.yaml``, which is written when the node joins (``join.sh``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from coreops.schedulers.k3s.settings import SAME, Node, Plan
from coreops.store.pki import Leaf

FOLDER = "/etc/rancher/k3s"
RUN = "/run/coreops-k3s"
DATA = "/var/lib/rancher/k3s"
SERVER_TOKEN = "k3s-token"
AGENT_TOKEN = "k3s-agent-token"
STORE_LEAF = Leaf("k3s-store", "k3s")
PORT = 6443
IMAGES = "k3s-images"


def variables(plan: Plan, archives: Mapping[str, str], pki: str) -> dict[str, Any]:
    """``k3s_nodes`` (host -> what ``_host`` makes) and where the secrets are."""
    return {
        "k3s_nodes": {
            host: _host(plan, node, archives.get(host, ""), archives.get(f"{host}/{IMAGES}", ""))
            for host, node in plan.nodes.items()
        },
        "k3s_pki": pki,
    }


def configuration(plan: Plan, node: Node) -> dict[str, Any]:
    """k3s's own options, as config.yaml has them."""
    made: dict[str, Any] = {"node-name": node.name, "token-file": f"{RUN}/token"}
    if _is_address(node.address):
        made["node-ip"] = node.address
    labels = [f"{key}={value}" for key, value in sorted(node.labels.items())]
    made |= {"node-label": labels} if labels else {}
    made |= {"node-taint": list(node.taints)} if node.taints else {}
    made |= {"docker": True} if node.docker else {}
    if node.server:
        made["agent-token-file"] = f"{FOLDER}/agent-token"
        made["tls-san"] = list(node.sans)
        made["write-kubeconfig-mode"] = "0600"
        made |= {"disable": list(node.disable)} if node.disable else {}
        if plan.store:
            made["datastore-endpoint"] = ",".join(plan.store)
            made["datastore-cafile"] = f"{FOLDER}/store-ca.crt"
            made["datastore-certfile"] = f"{FOLDER}/store.crt"
            made["datastore-keyfile"] = f"{FOLDER}/store.key"
    # An agent has no options of the whole cluster: it asks a server.
    return made | {key: value for key, value in node.config.items() if node.server or key not in SAME}


def url(plan: Plan, through: Node) -> str:
    """Where a node joins."""
    address = f"[{through.address}]" if ":" in through.address else through.address
    return plan.url or f"https://{address}:{through.config.get('https-listen-port', PORT)}"


def _host(plan: Plan, node: Node, archive: str, images: str) -> dict[str, Any]:
    release = str(node.version)
    return {
        "archive": archive,
        "release": release,
        "bin_dir": node.bin_dir,
        "unit": node.unit,
        "command": "server" if node.server else "agent",
        # A server says when it is ready; an agent does not.
        "type": "notify" if node.server else "exec",
        "config": yaml.safe_dump(configuration(plan, node), sort_keys=True, allow_unicode=True, width=1000),
        "token": SERVER_TOKEN if node.server else AGENT_TOKEN,
        # What a server starts with changes only when the cluster has changed: see rotating.
        "token_file": "token.wanted" if node.server else "token",
        "store": bool(plan.store) and node.server,
        "server": node.server,
        "embedded": node.server and not plan.store,
        "images": images,
        # k3s knows what it is by the name; always the same one, so that older images do not stay
        "images_file": f"coreops.{PurePosixPath(images).name.partition('.')[2]}".removesuffix("."),
    }


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
