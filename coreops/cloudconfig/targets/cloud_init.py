"""The cloud-config that cloud-init 22.4 and newer reads, on Debian and Ubuntu. CoreOS's services that no Debian has
are losses; etcd is Debian's package.

What coreos-cloudinit does on every boot, cloud-init does once: the files and units it writes stay.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from coreops.cloudconfig.emit import emit
from coreops.cloudconfig.loss import Loss, Rendered
from coreops.cloudconfig.model.base import Part
from coreops.cloudconfig.model.node import Node
from coreops.cloudconfig.model.unit import Unit
from coreops.cloudconfig.model.user import User
from coreops.cloudconfig.targets import disks, environment, mounts, parts
from coreops.cloudconfig.targets.flatcar.etcd_member import RENAMED

_ETCD = "etcd.service"
_ETCD_NAMES = ("etcd2.service", "etcd-member.service")
_ETCD_FILE = "/etc/default/etcd"
_ETCD_DATA = "/var/lib/etcd/default"
# Debian starts etcd when it is installed, which is before runcmd mounts anything; a new filesystem belongs to root.
_ETCD_MOUNT = """[Unit]
RequiresMountsFor={0}

[Service]
ExecStartPre=+/usr/bin/install -d -o etcd -g etcd -m 0700 {0}
"""
_SAME_USER = (
    *("gecos", "homedir", "no_create_home", "primary_group", "no_user_group", "system", "no_log_init", "shell"),
    "ssh_authorized_keys",
)
_ADMINS = frozenset({"sudo", "wheel"})
_GONE = {
    "etcd": "etcd 0.4 cannot be run any more",
    "fleet": "fleet ended in 2018 and no distribution has it",
    "flannel": "Debian has no flannel",
    "locksmith": "cloud-init knows no reboots under a lock; coreops upgrade does them",
    "oem": "only CoreOS's images have an OEM",
}
_UPDATE = "cloud-init does not update the operating system; coreops upgrade does"


def render(node: Node) -> Rendered:
    """Return the document and what it does not say. Raises InputError for keys that fight over one file."""
    losses: list[Loss] = []
    users = [_user(user, losses) for user in node.users]
    files = [_file(each) for each in parts.plain(node.write_files)]
    runs: list[list[str]] = []
    top: dict[str, Any] = {
        "hostname": node.hostname,
        "ssh_authorized_keys": list(node.ssh_authorized_keys),
        "manage_etc_hosts": node.manage_etc_hosts,
        # Without `default` there would be no default user, and nobody to hold the keys above.
        "users": ["default", *users] if users else [],
    }
    if node.environment:
        parts.with_file(files, "/etc/environment", environment.file(node.environment), "environment", append=True)
    if node.etc_hosts:
        parts.with_file(files, "/etc/hosts", parts.hosts_lines(node.etc_hosts), "etc_hosts", append=True)
    if node.time and node.time.servers:
        # It refuses a server that is there twice.
        servers = list(dict.fromkeys(node.time.servers))
        top["ntp"] = {"enabled": True, "ntp_client": "systemd-timesyncd", "servers": servers}
    if node.time and node.time.zone:
        top["timezone"] = node.time.zone
    if options := _etcd(node, losses):
        parts.with_file(files, _ETCD_FILE, environment.file(options), "coreos.etcd")
        top["packages"] = ["etcd-server", "etcd-client"]
    if node.swap:
        top["swap"] = {"filename": node.swap.file, "size": node.swap.size_mib * 2**20}
    if node.storage:
        top |= disks.keys(node.storage, losses)
    _units(node, options, files, runs, losses)
    losses += _gone(node)
    top |= {"write_files": files, "runcmd": _script(runs)}
    said = {key: value for key, value in top.items() if value not in (None, [])}
    return Rendered((parts.HEADER + emit(said)).encode(), tuple(losses))


def _file(said: dict[str, Any]) -> dict[str, Any]:
    """A file of an owner that cloud-init itself makes has to wait for the owner."""
    owner = said.get("owner", "root")
    return said if owner.partition(":")[0] == "root" else said | {"defer": True}


def _user(user: User, losses: list[Loss]) -> dict[str, Any]:
    said = parts.plain(user)
    found: dict[str, Any] = {"name": user.name} | {key: said[key] for key in _SAME_USER if key in said}
    if user.groups:
        found["groups"] = list(user.groups)
    if _ADMINS & set(user.groups):
        # On CoreOS the members of these need no password for sudo.
        found["sudo"] = "ALL=(ALL) NOPASSWD:ALL"
    if user.passwd is not None:
        found |= {"passwd": user.passwd, "lock_passwd": False}
    github = [name for name in (user.coreos_ssh_import_github, *user.coreos_ssh_import_github_users) if name]
    if github:
        found["ssh_import_id"] = [f"gh:{name}" for name in github]
    if user.coreos_ssh_import_url:
        key = f"users[{user.name}].coreos_ssh_import_url"
        losses.append(Loss(key, "cloud-init imports keys from GitHub and Launchpad only"))
    return found


def _etcd(node: Node, losses: list[Loss]) -> dict[str, str]:
    """The variables of Debian's etcd, from the newest section there is."""
    coreos = node.coreos
    if coreos.etcd_member:
        why = "coreos.etcd_member is there too, and a node runs one etcd"
        losses += [Loss(f"coreos.etcd2.{key}", why) for key in parts.given(coreos.etcd2)]
        return environment.variables(coreos.etcd_member, "ETCD_")
    if not coreos.etcd2:
        return {}
    for old, new in RENAMED.items():
        if getattr(coreos.etcd2, old) is not None:
            losses.append(Loss(f"coreos.etcd2.{old}", "etcd 3 has no such option", f"{new}, which trusts the same CA"))
    return environment.variables(coreos.etcd2, "ETCD_", {old: f"ETCD_{new.upper()}" for old, new in RENAMED.items()})


def _units(
    node: Node, etcd: Mapping[str, str], files: list[dict[str, Any]], runs: list[list[str]], losses: list[Loss]
) -> None:
    units = node.coreos.units
    if docker := node.coreos.docker:
        units = parts.with_drop_in(units, "docker.service", parts.docker_drop_in(docker))
    if etcd and mounts.is_mounted(data := etcd.get("ETCD_DATA_DIR", _ETCD_DATA), node.storage):
        name = next((unit.name for unit in units if unit.name in _ETCD_NAMES and unit.content is None), _ETCD)
        units = parts.with_drop_in(units, name, _ETCD_MOUNT.format(environment.argument(data)))
    # Not `mounts`: of what is no whole disk, it takes only names such as /dev/sdb.1, and leaves out others silently.
    units = mounts.with_mounts(units, node.storage, None)
    starts: list[list[str]] = []
    for unit in units:
        name = _ETCD if etcd and unit.name in _ETCD_NAMES and unit.content is None else unit.name
        folder = "/etc/systemd/network" if unit.network else "/etc/systemd/system"
        key = f"coreos.units[{unit.name}]"
        if unit.runtime:
            losses.append(
                Loss(f"{key}.runtime", "cloud-init does not write it anew on every boot", f"a lasting unit in {folder}")
            )
        # An empty file would mask the unit; coreos-cloudinit writes none.
        if unit.content:
            parts.with_file(files, f"{folder}/{name}", unit.content, key)
        for each in unit.drop_ins:
            parts.with_file(files, f"{folder}/{name}.d/{each.name}", each.content, f"{key}.drop_ins")
        if not unit.network:
            runs += _settings(unit, name)
            starts += _starts(unit, name)
            continue
        if unit.mask:
            runs.append(["ln", "-sf", "/dev/null", f"{folder}/{name}"])
        if unit.enable:
            losses.append(Loss(f"{key}.enable", "networkd reads every file there is"))
    if any(unit.network for unit in units):
        starts.insert(0, ["systemctl", "restart", "systemd-networkd.service"])
    if units:
        runs[:] = [["systemctl", "daemon-reload"], *runs, *starts]


def _settings(unit: Unit, name: str) -> list[list[str]]:
    chosen = [verb for verb, wanted in (("mask", unit.mask), ("enable", unit.enable)) if wanted]
    return [["systemctl", verb, "--", name] for verb in chosen]


def _starts(unit: Unit, name: str) -> list[list[str]]:
    if unit.command is None:
        return []
    # etcd is up when its cluster has a quorum: waiting for that would hold up the boot of every node.
    wait = ["--no-block"] if name == _ETCD else []
    return [["systemctl", *wait, unit.command, "--", name]]


def _script(runs: list[list[str]]) -> list[str]:
    """Commands as cloud-init's one script. All are run, as coreos-cloudinit did, and none fails unnoticed."""
    # The status of the script's last command is what cloud-init reports.
    return [*(f"{shlex.join(words)} || failed=1" for words in runs), '[ -z "$failed" ]'] if runs else []


def _gone(node: Node) -> list[Loss]:
    found = []
    for section, why in _GONE.items():
        part: Part | None = getattr(node.coreos, section)
        found += [Loss(f"coreos.{section}.{key}", why) for key in parts.given(part)]
    # Nothing reboots a Debian by itself: `off` is what it does anyway.
    update = node.coreos.update
    off = update is not None and update.reboot_strategy == "off"
    return found + [
        Loss(f"coreos.update.{key}", _UPDATE) for key in parts.given(update) if not (off and key == "reboot_strategy")
    ]
