"""The keys of Ignition's spec 3 as data, in the notation of ``shapes``, and what Butane adds to them.

From Ignition's ``config/v3_*/schema`` and Butane's ``base/v0_4`` and ``base/v0_5``. Names are Ignition's: Butane's
are the same with underscores. Knows nothing of documents.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

from coreops.cloudconfig.validate.shapes import Shape, table

VERSIONS: Final = ("3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0")
NEWER: Final = ("3.5.0", "3.6.0")
"""Versions that there are, and that are judged as the last one known."""
BUTANE: Final = {"1.0.0": "3.3.0", "1.1.0": "3.4.0"}
"""Butane's flatcar versions and the spec that they become."""

_TABLE: Final = {
    "header": "{name!: text, value: text}",
    "resource": "{source: text, compression@3.1: '' | 'gzip', httpHeaders@3.1: [$header], "
    "verification: {hash: text}, +inline: text, +local: text}",
    "who": "{id: int 0+, name: text}",
    "node": "path!: text, overwrite: bool, user: $who, group: $who",
    "file": "{<node>, mode: int, contents: $resource, append: [$resource]}",
    "directory": "{<node>, mode: int}",
    "link": "{<node>, target!: text, hard: bool}",
    "partition": "{label: text, number: int 0+, sizeMiB: int 0+, startMiB: int 0+, typeGuid: text, guid: text, "
    "wipePartitionEntry: bool, shouldExist: bool, resize@3.2: bool}",
    "disk": "{device!: text, wipeTable: bool, partitions: [$partition]}",
    "filesystem": "{device!: text, format: 'ext4' | 'btrfs' | 'xfs' | 'vfat' | 'swap' | 'none', path: text, "
    "label: text, uuid: text, wipeFilesystem: bool, options: [text], mountOptions@3.1: [text], +withMountUnit: bool}",
    "raid": "{name!: text, level!: text, devices!: [text], spares: int 0+, options: [text]}",
    "tang": "{url!: text, thumbprint!: text, advertisement@3.4: text}",
    "clevis": "{custom: {pin: 'tpm2' | 'tang' | 'sss', config: text, needsNetwork: bool}, tang: [$tang], "
    "threshold: int 0+, tpm2: bool}",
    "luks": "{name!: text, device!: text, label: text, uuid: text, keyFile: $resource, clevis: $clevis, "
    "options: [text], wipeVolume: bool, discard@3.4: bool, openOptions@3.4: [text]}",
    "dropin": "{name!: text, contents: text, +contentsLocal@3.4: text}",
    "unit": "{name!: text, enabled: bool, mask: bool, contents: text, dropins: [$dropin], +contentsLocal@3.4: text}",
    "user": "{name!: text, passwordHash: text, sshAuthorizedKeys: [text], uid: int 0+, gecos: text, homeDir: text, "
    "noCreateHome: bool, primaryGroup: text, groups: [text], noUserGroup: bool, noLogInit: bool, shell: text, "
    "shouldExist@3.2: bool, system: bool, +sshAuthorizedKeysLocal@3.4: [text]}",
    "group": "{name!: text, gid: int 0+, passwordHash: text, shouldExist@3.2: bool, system: bool}",
    "ignition": "{version-: text, config: {merge: [$resource], replace: $resource}, "
    "timeouts: {httpResponseHeaders: int 0+, httpTotal: int 0+}, "
    "security: {tls: {certificateAuthorities: [$resource]}}, "
    "proxy@3.1: {httpProxy: text, httpsProxy: text, noProxy: [text]}}",
    "all": "{ignition-: $ignition, storage: {files: [$file], directories: [$directory], links: [$link], "
    "disks: [$disk], filesystems: [$filesystem], raid: [$raid], luks@3.2: [$luks], "
    "+trees: [{+local!: text, +path: text}]}, "
    "systemd: {units: [$unit]}, passwd: {users: [$user], groups: [$group]}, "
    "kernelArguments@3.3: {shouldExist: [text], shouldNotExist: [text]}, +variant!: text, +version!: text}",
}
"""``+key`` is Butane's own, ``key-`` is needed by Ignition only."""


@cache
def config() -> Shape:
    """The shape of an Ignition config."""
    plain = (re.sub(r"(, )?\+\w+(@[\d.]+)?!?: (\[\{.*?\}\]|\[\w+\]|\w+)", "", line) for line in _lines())
    return table(dict(zip(_TABLE, (line.replace("-:", "!:") for line in plain), strict=True)))["all"]


@cache
def butane() -> Shape:
    """The shape of a Butane config; text may be written without quotes there."""
    own = (re.sub(r"\+(?=[A-Za-z])", "", line).replace("-:", ":") for line in _lines())
    return table(dict(zip(_TABLE, (re.sub(r"\btext\b", "loose", line) for line in own), strict=True)))["all"]


def _lines() -> list[str]:
    lines = [line.replace("<node>", _TABLE["node"]) for line in _TABLE.values()]
    return ["{" + line + "}" if name == "node" else line for name, line in zip(_TABLE, lines, strict=True)]


@lru_cache(1000)
def butane_name(written: str) -> str:
    """Ignition's name of a key that Butane writes with underscores; another spelling is no name at all."""
    if re.search(r"[A-Z]", written):
        return f"no {written}"
    name = re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), written)
    return re.sub(r"(?<=[a-z])Mib$", "MiB", name)


def butane_written(name: str) -> str:
    """How Butane writes a key of Ignition's."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name.replace("MiB", "Mib")).lower()
