"""Butane as a target of the validator: Ignition's rules, and its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from coreops.cloudconfig.validate.butane import rules
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.ignition import keys
from coreops.cloudconfig.validate.ignition.target import IGNITION
from coreops.cloudconfig.validate.ignition.target import RULES as IGNITION_RULES
from coreops.cloudconfig.validate.target import Rule
from coreops.cloudconfig.validate.tree import Dialect, Kind, Value, parse

SOURCE: Final = "Butane config/config.go"
_BASE: Final = "Butane base/v0_5/validate.go"


def _more(text: str) -> Kind | None:
    return "int" if re.fullmatch("[+-]?0o[0-7]+", text) else None


_DIALECT = Dialect(keys.butane_name, _more)
"""yaml.v3: 0o644 is a number."""
# No machine is handed Butane's YAML, and what Butane makes of it is compressed where that is shorter.
_NOT_ITS = ("version", "size")
RULES: Final = (
    Rule("version", rules.versions, SOURCE),
    *(replace(rule, source=f"{rule.source}; {_BASE}") for rule in IGNITION_RULES if rule.name not in _NOT_ITS),
    Rule("local", rules.local_files, "Butane docs/config-flatcar-v1_1.md: --files-dir"),
    Rule("not-flatcar", rules.luks, "Butane config/flatcar/v1_1/translate.go"),
)


def _header(text: str, file: str) -> Iterator[Finding]:
    return iter(())


def _parse(text: str, file: str) -> Value | None:
    return parse(text, file, _DIALECT)


BUTANE: Final = replace(
    IGNITION,
    name="butane",
    header=_header,
    header_source=SOURCE,
    parse=_parse,
    rules=RULES,
    shape=keys.butane,
    version=rules.version,
    unknown=rules.unknown,
    written=keys.butane_written,
    on_unknown="Butane refuses the config with --strict, and leaves it out without",
    on_wrong="Butane refuses the config",
    stop=rules.not_flatcar,
)
