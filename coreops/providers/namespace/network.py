"""The lab's network: one bridge, one link per node, one link for the host. Addresses belong to the nodes' namespaces.

The bridge stands in a namespace of its own, so the host's packet filter (a firewall, Docker's rules) never sees the
traffic between nodes; the host is just one more machine on the bridge. Cutting a node takes its port there down.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from coreops.providers.namespace.host import run
from coreops.providers.namespace.names import LabNames, NodeNames
from coreops.providers.namespace.plan import LabPlan, NodePlan

_NETNS = Path("/run/netns")
_BRIDGE = "br0"


def _links(namespace: str | None) -> dict[str, dict[str, Any]]:
    # After a reboot of the host the lab's files are there, and its namespaces are not.
    if namespace and not (_NETNS / namespace).exists():
        return {}
    where = ["-n", namespace] if namespace else []
    listed = json.loads(run(["ip", *where, "-j", "addr", "show"]).stdout or "[]")
    return {link["ifname"]: link for link in listed if "ifname" in link}


def _batch(namespace: str | None, lines: Iterable[str]) -> None:
    where = ["-n", namespace] if namespace else []
    run(["ip", *where, "-batch", "-"], input="".join(f"{line}\n" for line in lines))


def _namespace(name: str) -> None:
    if not (_NETNS / name).exists():
        run(["ip", "netns", "add", name])


def used_networks() -> list[IPv4Network]:
    """Return the networks that the host has routes to."""
    routes = json.loads(run(["ip", "-4", "-j", "route", "show", "table", "all"]).stdout or "[]")
    return [
        IPv4Network(route["dst"] if "/" in route["dst"] else route["dst"] + "/32", strict=False)
        for route in routes
        if route["dst"] != "default"
    ]


def ensure_switch(names: LabNames, plan: LabPlan) -> None:
    """Make the bridge and the host's link to it, as far as they are missing."""
    _namespace(names.switch)
    inside = _links(names.switch)
    if _BRIDGE not in inside:
        _batch(names.switch, [f"link add {_BRIDGE} type bridge", f"link set {_BRIDGE} up"])
    outside = _links(None)
    if names.uplink in outside and "uplink" not in inside:
        run(["ip", "link", "del", names.uplink])
    if names.uplink not in outside or "uplink" not in inside:
        run(["ip", "link", "add", names.uplink, "type", "veth", "peer", "name", "uplink", "netns", names.switch])
    _batch(names.switch, [f"link set uplink master {_BRIDGE}", "link set uplink up"])
    _batch(
        None,
        [f"addr replace {plan.controller_address}/{plan.prefix} dev {names.uplink}", f"link set {names.uplink} up"],
    )


def ensure_node(names: NodeNames, plan: LabPlan, node: NodePlan) -> None:
    """Make the node's namespace, link and address, as far as they are missing. A link that is cut stays cut."""
    _namespace(names.netns)
    port = names.node
    ports, inside = _links(names.lab.switch), _links(names.netns)
    if port not in ports or "eth0" not in inside:
        for namespace, link, known in ((names.lab.switch, port, ports), (names.netns, "eth0", inside)):
            if link in known:
                run(["ip", "-n", namespace, "link", "del", link])
        _batch(
            names.lab.switch,
            [
                f"link add {port} type veth peer name eth0 netns {names.netns}",
                f"link set {port} master {_BRIDGE}",
                f"link set {port} up",
            ],
        )
    _batch(
        names.netns,
        ["link set lo up", f"addr replace {node.address}/{plan.prefix} dev eth0", "link set eth0 up"],
    )


def cut(names: NodeNames, on: bool) -> None:
    """Take the node's port down (on) or up again."""
    run(["ip", "-n", names.lab.switch, "link", "set", names.node, "down" if on else "up"])


def is_cut(names: NodeNames) -> bool:
    """Say whether the node's port is down."""
    port = _links(names.lab.switch).get(names.node)
    return port is not None and "UP" not in port["flags"]


def remove(names: LabNames) -> None:
    """Take the whole network away, from what is found under the lab's names."""
    if names.uplink in _links(None):
        run(["ip", "link", "del", names.uplink])
    if _NETNS.is_dir():
        for file in sorted(_NETNS.iterdir()):
            if file.name == names.switch or file.name.startswith(names.switch + "."):
                run(["ip", "netns", "del", file.name])
