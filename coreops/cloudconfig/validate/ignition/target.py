"""Ignition as a target of the validator."""

from __future__ import annotations

from typing import Final

from coreops.cloudconfig.validate import fits, size, structure, units
from coreops.cloudconfig.validate.ignition import contents, disks, header, keys, storage, texts
from coreops.cloudconfig.validate.json_tree import parse_json
from coreops.cloudconfig.validate.target import Rule, Target

_TYPES: Final = "Ignition config/v3_*/types"
RULES: Final = (
    Rule("version", header.versions, f"{_TYPES}/ignition.go"),
    Rule("unknown-key", fits.unknown_keys, "Ignition config/v3_*/schema/ignition.json"),
    Rule("duplicate-key", structure.duplicate_keys, "RFC 8259, 4: names should be unique"),
    Rule("type", fits.types, "Ignition config/v3_*/schema/ignition.json"),
    Rule("value", fits.values, f"{_TYPES}/resource.go, filesystem.go, clevis.go"),
    Rule("missing-key", fits.needed, "Ignition config/v3_*/schema/ignition.json"),
    Rule("too-new", fits.too_new, "Ignition docs/release-notes.md"),
    Rule("path", storage.paths, f"{_TYPES}/path.go"),
    Rule("read-only", storage.read_only, "Flatcar docs: /usr is a read-only slot"),
    Rule("duplicate-path", storage.duplicate_paths, f"{_TYPES}/storage.go, config.go"),
    Rule("duplicate", storage.once, "Ignition config/validate: Key()"),
    Rule("file", storage.files, f"{_TYPES}/node.go, file.go, storage.go"),
    Rule("mode", storage.modes, f"{_TYPES}/mode.go; Butane base/util: CheckForDecimalMode"),
    Rule("partition", disks.partitions, f"{_TYPES}/disk.go, partition.go"),
    Rule("filesystem", disks.filesystems, f"{_TYPES}/filesystem.go, storage.go, raid.go, luks.go"),
    Rule("url", contents.urls, f"{_TYPES}/url.go, resource.go"),
    Rule("hash", contents.hashes, f"{_TYPES}/verification.go"),
    Rule("http", contents.headers, f"{_TYPES}/headers.go, proxy.go"),
    Rule("unit-name", units.names, f"{_TYPES}/unit.go; systemd.unit(5)"),
    Rule("unit-content", texts.units, "Ignition config/shared/parse/unit.go"),
    Rule("install", units.install, "Ignition config/shared/validations/unit.go"),
    Rule("substitution", texts.substitutions, "coreos-cloudinit initialize/env.go; ct config/templating"),
    Rule("secret", texts.secrets, "EC2 User Guide: user data is not protected by cryptographic methods"),
    Rule("size", size.size, "the record of the platform"),
)
IGNITION: Final = Target(
    name="ignition",
    header=header.header,
    header_source=header.SOURCE,
    parse=parse_json,
    rules=RULES,
    shape=keys.config,
    version=header.version,
    files=("storage", "files"),
    units=("systemd", "units"),
    drop_ins="dropins",
    content="contents",
    enable="enabled",
    suffixes=units.IGNITION_SUFFIXES,
    on_unknown="Ignition ignores it",
    on_wrong="Ignition refuses the config, and the machine does not boot",
    null_is_absent=True,
    stop=header.of_the_past,
)
