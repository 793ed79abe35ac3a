"""The documents around user-data: NoCloud's meta-data, and what iPXE is told. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from coreops.delivery import ipxe
from coreops.delivery.request import Request
from coreops.delivery.serving.request import CLOUD_CONFIG, IGNITION, IPXE
from coreops.delivery.serving.site import Content, Site

TYPES: Final = {
    "coreos": "text/cloud-config; charset=utf-8",
    "cloud-init": "text/cloud-config; charset=utf-8",
    "ignition": "application/json",
}
PLAIN: Final = "text/plain; charset=utf-8"
_ASKED: Final = {"coreos": CLOUD_CONFIG, "ignition": IGNITION, "cloud-init": ""}
"""What machines append to their part of the address; cloud-init wants the folder, and asks for every file in it."""


def meta_data(site: Site, content: Content) -> bytes:
    """cloud-init's meta-data. Other user-data is another instance, so it is read again."""
    return Request(node=content.node, data=content.data, target=site.target).nocloud()


def address(base: str, target: str, kind: str, value: str) -> str:
    """Where a machine finds its user-data. kind "": the machine needs no name, its address is known."""
    middle = f"{kind}/{quote(value, safe=':')}/" if kind else ""
    return f"{base.rstrip('/')}/{middle}{_ASKED[target]}"


def ipxe_script(site: Site, node: str, by: str, token: str | None, base: str) -> bytes:
    """What ``/ipxe`` says to a machine. by: what named it. Raises InputError for what iPXE cannot take."""
    kind, _, value = ("token", "", token) if token else ("", "", "") if by.startswith("ip ") else by.partition(" ")
    assert site.boot is not None, "asked before"
    return ipxe.script(site.target, address(base, site.target, kind, value), site.boot, quote(node)).encode()


def boot_script(token: str | None) -> bytes:
    """The script that says who it is to ``/ipxe``; iPXE fills in the names, and resolves the address against its own.

    netX is the network card it booted from, which need not be the first.
    """
    words = ["mac=${net0/mac}", "mac=${netX/mac}", "uuid=${uuid}", "serial=${serial:uristring}"]
    if token is not None:
        words.insert(0, f"token={token}")
    return f"#!ipxe\nchain {IPXE}?{'&'.join(words)}\n".encode()
