"""cloud-init as a target of the validator."""

from __future__ import annotations

from typing import Final

from coreops.cloudconfig.validate import files, fits, size, structure
from coreops.cloudconfig.validate.cloud_init import header, rules
from coreops.cloudconfig.validate.cloud_init.keys import cloud_config
from coreops.cloudconfig.validate.target import Rule, Target
from coreops.cloudconfig.validate.tree import Dialect, Value, parse

_SCHEMA: Final = "cloud-init 22.4 schema-cloud-config-v1.json"
_DIALECT = Dialect()
RULES: Final = (
    Rule("empty", rules.nothing, "cloud-init cloudinit/config/schema.py"),
    Rule("unknown-key", fits.unknown_keys, f"{_SCHEMA}; at the top canonical/cloud-init#4562"),
    Rule("duplicate-key", structure.duplicate_keys, "YAML 1.1, 3.2.1.1: keys are unique"),
    Rule("type", fits.types, _SCHEMA),
    Rule("value", fits.values, _SCHEMA),
    Rule("missing-key", fits.needed, _SCHEMA),
    Rule("deprecated", fits.deprecated, _SCHEMA),
    Rule("not-run", rules.not_run, "Debian 12 /etc/cloud/cloud.cfg"),
    Rule("users", rules.users, "cloud-init cloudinit/config/cc_ssh.py, cc_users_groups.py"),
    Rule("path", files.paths, "cloud-init cloudinit/config/cc_write_files.py"),
    Rule("duplicate-path", files.duplicate_paths, "cloud-init cloudinit/config/cc_write_files.py"),
    Rule("encoding", files.encodings, "cloud-init cloudinit/config/cc_write_files.py"),
    Rule("command", rules.scripts, "cloud-init cloudinit/util.py shellify"),
    Rule("template", rules.templates, "cloud-init cloudinit/handlers/jinja_template.py"),
    Rule("substitution", rules.substitutions, "coreos-cloudinit initialize/env.go"),
    Rule("secret", files.secrets, "EC2 User Guide: user data is not protected by cryptographic methods"),
    Rule("size", size.size, "the record of the platform"),
)


def _parse(text: str, file: str) -> Value | None:
    return parse(header.without_template(text), file, _DIALECT)


CLOUD_INIT: Final = Target(
    name="cloud-init",
    header=header.header,
    header_source=header.SOURCE,
    parse=_parse,
    rules=RULES,
    shape=cloud_config,
    files=("write_files",),
    unknown=rules.unknown,
    on_unknown="cloud-init schema refuses it",
    on_wrong="cloud-init schema refuses it",
)
