"""The cloud-config that coreos-cloudinit reads, on Container Linux and Flatcar. Keys that it has not become files."""

from __future__ import annotations

from typing import Any

from coreops.cloudconfig.emit import emit
from coreops.cloudconfig.loss import Loss, Rendered
from coreops.cloudconfig.model.clock import Clock
from coreops.cloudconfig.model.node import Node
from coreops.cloudconfig.model.storage import Storage
from coreops.cloudconfig.model.unit import Unit
from coreops.cloudconfig.targets import environment, mounts, parts
from coreops.cloudconfig.targets.flatcar import etcd_member

_OWN = ("coreos", "write_files", "environment", "etc_hosts", "time", "swap", "storage")
_SECTIONS = ("etcd", "etcd2", "fleet", "flannel", "locksmith", "update", "oem")
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
        parts.with_file(files, "/etc/hosts", parts.hosts_file(node), "etc_hosts")
    if node.time and node.time.servers:
        path = f"/etc/systemd/timesyncd.conf.d/{parts.DROP_IN}"
        parts.with_file(files, path, parts.timesyncd(node.time), "time.servers")
    top = {key: value for key, value in parts.plain(node).items() if key not in _OWN}
    if node.etc_hosts and node.hostname:
        # It would write /etc/hosts over the file above, which says the same.
        top.pop("manage_etc_hosts", None)
    if files:
        top["write_files"] = files
    if coreos := _coreos(node, losses):
        top["coreos"] = coreos
    losses += _storage(node.storage)
    return Rendered((parts.HEADER + emit(top)).encode(), tuple(losses))


def _coreos(node: Node, losses: list[Loss]) -> dict[str, Any]:
    said = parts.plain(node.coreos)
    found = {key: said[key] for key in _SECTIONS if said.get(key)}
    units = node.coreos.units
    if member := node.coreos.etcd_member:
        options = etcd_member.inside(environment.texts(member), "etcd_member", units, losses)
        units = parts.with_drop_in(units, etcd_member.UNIT, environment.drop_in(options))
    if docker := node.coreos.docker:
        units = parts.with_drop_in(units, "docker.service", parts.docker_drop_in(docker))
    if node.time:
        units = (*_clock(node.time), *units)
    units = mounts.with_mounts(units, node.storage, node.swap)
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


def _storage(storage: Storage | None) -> list[Loss]:
    """coreos-cloudinit runs when disks are long in use: it mounts filesystems that are there, and makes none."""
    found = []
    for disk in storage.disks if storage else ():
        key = f"storage.disks[{disk.device}]"
        names = ["wipe_table"] * disk.wipe_table + [f"partitions[{each.label}]" for each in disk.partitions]
        found += [Loss(f"{key}.{name}", "coreos-cloudinit divides no disks") for name in names]
    for each in storage.filesystems if storage else ():
        key = f"storage.filesystems[{each.device}]"
        used = each.path is not None or each.format == "swap"
        instead = "a unit that uses the one that must be there" if used else None
        found.append(Loss(f"{key}.format", "coreos-cloudinit makes no filesystems", instead))
        lost = [name for name in ("label", "wipe_filesystem", "options") if getattr(each, name)]
        found += [Loss(f"{key}.{name}", "coreos-cloudinit makes no filesystems") for name in lost]
    return found
