"""The rules of CoreOS' cloud-config: name, function, and who says so. Order is that of the findings on one place."""

from __future__ import annotations

from typing import Final

from coreops.cloudconfig.validate import cluster, files, size, structure, substitutions, units
from coreops.cloudconfig.validate.target import Rule

_RULES_GO = "coreos-cloudinit config/validate/rules.go"
RULES: Final[tuple[Rule, ...]] = (
    Rule("unknown-key", structure.unknown_keys, f"{_RULES_GO} checkStructure, checkWriteFilesUnderCoreos"),
    Rule("duplicate-key", structure.duplicate_keys, "YAML 1.1, 3.2.1.1: keys are unique"),
    Rule("type", structure.types, f"{_RULES_GO} checkStructure"),
    Rule("deprecated", structure.deprecated, f"{_RULES_GO} checkStructure"),
    Rule("value", structure.values, f"{_RULES_GO} checkValidity"),
    Rule("quoting", structure.quoting, "coreos-vagrant e37dac5; canonical/cloud-init schema of write_files"),
    Rule("hostname", structure.hostname, "flatcar/coreos-cloudinit initialize/config.go"),
    Rule("environment", files.environment, "coreos-cloudinit initialize/config.go"),
    Rule("path", files.paths, "coreos-cloudinit system/file.go"),
    Rule("read-only", files.read_only, f"{_RULES_GO} checkWriteFiles"),
    Rule("duplicate-path", files.duplicate_paths, "coreos-cloudinit initialize/config.go"),
    Rule("encoding", files.encodings, f"{_RULES_GO} checkEncoding"),
    Rule("hidden-substitution", files.hidden_substitutions, "coreos-cloudinit initialize/env.go"),
    Rule("shell-variable", files.shell_variables, "coreos/bugs#761"),
    Rule("secret", files.secrets, "EC2 User Guide: user data is not protected by cryptographic methods"),
    Rule("unit-name", units.names, "systemd.unit(5)"),
    Rule("duplicate-unit", units.duplicates, "coreos-cloudinit initialize/config.go"),
    Rule("install", units.install, "systemd.unit(5), [Install]"),
    Rule("enable-deadlock", units.enabled_before_configured, "etcd-io/etcd#5163, coreos/bugs#947"),
    Rule("network-command", units.ignored_commands, "coreos-cloudinit initialize/config.go"),
    Rule("discovery", cluster.discovery_url, f"{_RULES_GO} checkDiscoveryUrl"),
    Rule("one-way", cluster.one_way, "etcd: ErrConflictBootstrapFlags"),
    Rule("substitution-prefix", substitutions.prefixes, "coreos-cloudinit initialize/env.go"),
    Rule("substitution", substitutions.unresolved, "coreos/bugs#1505, #761, #97, #757"),
    Rule("substitution-name", substitutions.misspelt, "coreos-cloudinit initialize/env.go"),
    Rule("size", size.size, "the record of the platform"),
)
