"""A Node as what Ignition puts on a machine with Flatcar: services without a key of their own become files, drop-ins.

coreos-cloudinit did its work on every boot; Ignition does it once, before anything starts. Knows no text format.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Any, Final

from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.model.node import Node
from coreops.cloudconfig.model.unit import Unit
from coreops.cloudconfig.model.user import User
from coreops.cloudconfig.targets import environment, mounts, parts
from coreops.cloudconfig.targets.flatcar import contents, etcd_member, units, update_conf
from coreops.cloudconfig.targets.flatcar.lowered import File, Link, Lowered, UnitFile
from coreops.cloudconfig.targets.specs import Spec
from coreops.errors import InputError

_CORE: Final = "core"
_USER = {"passwd": "password_hash", "homedir": "home_dir"}
_USER_KEYS = (
    *("name", "password_hash", "ssh_authorized_keys", "gecos", "home_dir", "no_create_home", "primary_group"),
    *("groups", "no_user_group", "no_log_init", "shell", "system"),
)
_LAST_ID = 0xFFFFFFFE
_FLANNEL = "/etc/flannel/options.env"
_FLANNEL_DROP_IN = f"[Service]\nEnvironmentFile={_FLANNEL}\n"
_VOLATILE = ("/run/", "/tmp/", "/dev/", "/proc/", "/sys/")
_GONE = {
    "etcd": "etcd 0.4 is gone since 2015; etcd_member is etcd 3",
    "fleet": "fleet ended in 2018, and Flatcar has none; its units become units of systemd, or jobs of a scheduler",
    "oem": "Flatcar's images say themselves who made them",
}


def lower(node: Node, spec: Spec) -> Lowered:
    """Return what the machine is to have. Raises InputError for keys that fight over one file."""
    losses = list(_gone(node))
    files: list[dict[str, Any]] = parts.plain(node.write_files)
    links: list[Link] = []
    _settings(node, files, links, losses)
    found = units.lower(_units(node, files, losses), losses)
    links += found.links
    for path, content, key in found.files:
        parts.with_file(files, path, content, key)
    made = [each for each in (_file(one, spec, losses) for one in files) if each]
    _each_path_once([(each.path, "a file") for each in made] + [(each.path, "a link") for each in links], found.units)
    return Lowered(
        files=tuple(made),
        links=tuple(links),
        units=found.units,
        users=tuple(_users(node, losses)),
        disks=tuple(parts.plain(node.storage.disks) if node.storage else ()),
        filesystems=tuple(parts.plain(node.storage.filesystems) if node.storage else ()),
        losses=tuple(losses),
    )


def _settings(node: Node, files: list[dict[str, Any]], links: list[Link], losses: list[Loss]) -> None:
    """What is a file in /etc."""
    if node.hostname:
        parts.with_file(files, "/etc/hostname", f"{node.hostname}\n", "hostname")
    if node.manage_etc_hosts and not node.hostname:
        losses.append(Loss("manage_etc_hosts", "there is no hostname, and Ignition does not know the machine's"))
    if node.etc_hosts or (node.manage_etc_hosts and node.hostname):
        key = "etc_hosts" if node.etc_hosts else "manage_etc_hosts"
        parts.with_file(files, "/etc/hosts", parts.hosts_file(node), key)
    if node.environment:
        parts.with_file(files, "/etc/environment", environment.file(node.environment), "environment")
    if node.time and node.time.servers:
        path = f"/etc/systemd/timesyncd.conf.d/{parts.DROP_IN}"
        parts.with_file(files, path, parts.timesyncd(node.time), "time.servers")
    if node.time and node.time.zone:
        links.append(Link("/etc/localtime", f"../usr/share/zoneinfo/{node.time.zone}"))
    if settings := update_conf.settings(node.coreos):
        mode = "0600" if update_conf.secret(settings) else "0644"
        text = update_conf.text(settings)
        parts.with_file(files, update_conf.PATH, text, "coreos.update", permissions=mode)
    for path, content, key in units.network_files(node.coreos.units):
        parts.with_file(files, path, content, key)


def _units(node: Node, files: list[dict[str, Any]], losses: list[Loss]) -> tuple[Unit, ...]:
    """The node's units, and the drop-ins and units that stand for other keys."""
    found = etcd_member.renamed(node.coreos.units, losses)
    if options := etcd_member.variables(node.coreos, found, losses):
        found = parts.with_drop_in(found, etcd_member.UNIT, environment.drop_in(options))
    if docker := node.coreos.docker:
        found = parts.with_drop_in(found, "docker.service", parts.docker_drop_in(docker))
    if node.coreos.flannel and parts.given(node.coreos.flannel):
        # It may hold a password, and anybody may read units.
        options = environment.variables(node.coreos.flannel, "FLANNELD_", {"interface": "FLANNELD_IFACE"})
        parts.with_file(files, _FLANNEL, environment.file(options), "coreos.flannel", permissions="0600")
        found = parts.with_drop_in(found, "flanneld.service", _FLANNEL_DROP_IN)
    return mounts.with_mounts(found, node.storage, node.swap)


def _file(said: dict[str, Any], spec: Spec, losses: list[Loss]) -> File | None:
    path = said["path"]
    if path.startswith(_VOLATILE):
        why = f"/{path.split('/')[1]} is empty at every boot, and Ignition writes once, before the first"
        losses.append(Loss(f"write_files[{path}]", f"{why}: write it with a unit"))
        return None
    data, gzip = contents.decode(path, said.get("content", ""), said.get("encoding"))
    mode = int(said.get("permissions", "0644"), 8)
    if mode > 0o777 and not spec.special_bits:
        why = f"spec {spec.version} sets no setuid, setgid and sticky bits; 3.4.0 does"
        mode &= 0o777
        losses.append(Loss(f"write_files[{path}].permissions", why, f"{mode:04o}"))
    user, _, group = said.get("owner", "").partition(":")
    for name in (user, group):
        if name.isdigit() and not (name.isascii() and int(name) <= _LAST_ID):
            raise InputError(f"write_files[{path}].owner: {name} is not the number of a user or a group")
    return File(path, data, gzip, mode, user or None, group or None)


def _users(node: Node, losses: list[Loss]) -> Iterable[dict[str, Any]]:
    keys = _distinct(node.ssh_authorized_keys)
    if keys and not any(user.name == _CORE for user in node.users):
        yield {"name": _CORE, "ssh_authorized_keys": keys}
    for user in node.users:
        yield _user(user, keys if user.name == _CORE else [], losses)


def _distinct(words: Iterable[str]) -> list[str]:
    """Ignition refuses a list that has a word twice."""
    return list(dict.fromkeys(words))


def _user(user: User, more_keys: list[str], losses: list[Loss]) -> dict[str, Any]:
    said = {_USER.get(key, key): value for key, value in parts.plain(user).items()}
    said["ssh_authorized_keys"] = _distinct((*more_keys, *user.ssh_authorized_keys))
    said["groups"] = _distinct(user.groups)
    for key in said:
        if key.startswith("coreos_ssh_import"):
            why = "Ignition fetches no keys: write them in ssh_authorized_keys"
            losses.append(Loss(f"users[{user.name}].{key}", why))
    return {key: said[key] for key in _USER_KEYS if said.get(key) not in (None, [])}


def _gone(node: Node) -> Iterable[Loss]:
    for section, why in _GONE.items():
        for key in parts.given(getattr(node.coreos, section)):
            yield Loss(f"coreos.{section}.{key}", why)


def _each_path_once(paths: list[tuple[str, str]], found: Iterable[UnitFile]) -> None:
    """A path that is written twice, or lies below a file, fails the boot."""
    for unit in found:
        if unit.contents is not None:
            paths.append((f"{units.FOLDER}/{unit.name}", "a unit"))
        paths += [(f"{units.FOLDER}/{unit.name}.d/{name}", "a drop-in") for name, _ in unit.dropins]
    known: dict[str, str] = {}
    for path, what in paths:
        if path in known:
            raise InputError(f"{path} is written twice", why=f"by {known[path]} and by {what}", next="keep one")
        known[path] = what
    for path in known:
        above = posixpath.dirname(path)
        while above != "/":
            if above in known:
                raise InputError(f"{path} lies below {known[above]}, {above}", next="move one of them")
            above = posixpath.dirname(above)
