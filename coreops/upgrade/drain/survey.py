"""How a node stands: drained by coreops, cordoned by somebody else. A piece of sh for the survey, and its reader. Pure.

The operator cordons a node by a file, whose first line is the reason: by hand, or by ``coreops drain``. An upgrade
reads it and never writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coreops.shell.quote import q
from coreops.upgrade.guard import FOLDER

CORDON = "/etc/coreops/cordoned"

_SCRIPT = Path(__file__).with_name("survey.sh")


@dataclass(frozen=True, slots=True)
class Standing:
    """drained: by coreops, not undone yet. cordoned: by somebody else. reason: what they wrote."""

    drained: bool = False
    cordoned: bool = False
    reason: str = ""


def script(folder: str = FOLDER, cordon: str = CORDON) -> str:
    """Prints ``drained`` and ``cordoned`` lines, "key value", each only when it is so."""
    return f"FOLDER={q(folder)} CORDON={q(cordon)}\n" + _SCRIPT.read_text(encoding="utf-8")


def read(lines: Mapping[str, str]) -> Standing:
    """Read the lines, key -> value."""
    reason = "".join(each for each in lines.get("cordoned", "") if each.isprintable())
    return Standing("drained" in lines, "cordoned" in lines, reason.strip())
