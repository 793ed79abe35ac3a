"""coreos-cloudinit as a target of the validator. Its keys are in ``keys``, its rules in ``rules``."""

from __future__ import annotations

from typing import Final

from coreops.cloudconfig.validate import header, units
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.rules import RULES
from coreops.cloudconfig.validate.target import Target
from coreops.cloudconfig.validate.tree import Value, parse


def _for_ignition(root: Value) -> Finding | None:
    if root.get("ignitionVersion") or root.get("ignition", "version"):
        return Finding(root.at, "info", "an Ignition config: coreos-cloudinit leaves it to Ignition")
    return None


COREOS: Final = Target(
    name="coreos",
    header=header.header,
    header_source="coreos-cloudinit config/config.go, config/script.go",
    parse=parse,
    rules=RULES,
    shape=tuple,
    files=("write_files",),
    units=("coreos", "units"),
    drop_ins="drop_ins",
    suffixes=units.SUFFIXES,
    stop=_for_ignition,
)
