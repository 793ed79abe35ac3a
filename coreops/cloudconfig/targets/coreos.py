"""The cloud-config that coreos-cloudinit reads, on Container Linux and Flatcar. Keys that it has not become files."""

from __future__ import annotations

from typing import Any

from coreops.cloudconfig.emit import emit
from coreops.cloudconfig.loss import Loss, Rendered
from coreops.cloudconfig.model.clock import Clock
from coreops.cloudconfig.model.node import Node
from coreops.cloudconfig.model.unit import Unit
from coreops.cloudconfig.targets import environment, parts

_OWN = ("coreos", "write_files", "environment", "etc_hosts", "time")
_SECTIONS = ("etcd", "etcd2", "fleet", "flannel", "locksmith", "update", "oem")
_MEMBER = "etcd-member.service"
_ZONE = """[Unit]
Description=Set the time zone

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/timedatectl set-timezone {zone}
"""


def render(node: Node) -> Rendered:
    """Return the document and what it does not say. Raises InputError for keys that fight over one file."""
    files = parts.plain(node.write_files)
    losses: list[Loss] = []
    if node.environment:
        parts.with_file(files, "/etc/environment", environment.file(node.environment), "environment")
        losses.append(
            Loss(
                "environment",
                "coreos-cloudinit adds COREOS_PRIVATE_IPV4 and its like only to a file that it wrote itself",
                "write_files /etc/environment",
            )
        )
    if node.etc_hosts:
        local = "127.0.0.1 localhost" + (f" {node.hostname}" if node.manage_etc_hosts and node.hostname else "")
        lines = f"{local}\n::1 localhost\n{parts.hosts_lines(node.etc_hosts)}"
        parts.with_file(files, "/etc/hosts", lines, "etc_hosts")
    if node.time and node.time.servers:
        path = f"/etc/systemd/timesyncd.conf.d/{parts.DROP_IN}"
        parts.with_file(files, path, parts.timesyncd(node.time), "time.servers")
    top = {key: value for key, value in parts.plain(node).items() if key not in _OWN}
    if node.etc_hosts and node.hostname:
        # It would write /etc/hosts over the file above, which says the same.
        top.pop("manage_etc_hosts", None)
    if files:
        top["write_files"] = files
    if coreos := _coreos(node):
        top["coreos"] = coreos
    return Rendered((parts.HEADER + emit(top)).encode(), tuple(losses))


def _coreos(node: Node) -> dict[str, Any]:
    said = parts.plain(node.coreos)
    found = {key: said[key] for key in _SECTIONS if said.get(key)}
    units = node.coreos.units
    if member := node.coreos.etcd_member:
        units = parts.with_drop_in(units, _MEMBER, environment.drop_in(environment.variables(member, "ETCD_")))
    if docker := node.coreos.docker:
        units = parts.with_drop_in(units, "docker.service", parts.docker_drop_in(docker))
    if node.time:
        units = (*_clock(node.time), *units)
    if units:
        found["units"] = parts.plain(units)
    return found


def _clock(clock: Clock) -> list[Unit]:
    found = []
    if clock.servers:
        found.append(Unit(name="systemd-timesyncd.service", command="restart"))
    if clock.zone:
        content = _ZONE.format(zone=clock.zone)
        found.append(Unit(name="coreops-timezone.service", content=content, command="start"))
    return found
