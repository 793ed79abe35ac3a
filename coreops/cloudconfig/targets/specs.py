"""The versions of Ignition's spec that can be chosen, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from coreops.errors import InputError, did_you_mean


@dataclass(frozen=True, slots=True)
class Spec:
    """A version of the spec. butane: the version of Butane's variant ``flatcar`` that becomes it."""

    version: str
    butane: str
    special_bits: bool
    """Are the setuid, setgid and sticky bits of a mode obeyed?"""


SPECS: Final = {spec.version: spec for spec in (Spec("3.3.0", "1.0.0", False), Spec("3.4.0", "1.1.0", True))}
DEFAULT: Final = "3.3.0"


def find(version: str | None) -> Spec:
    """Return the spec of this version, the default one for None. Raises InputError."""
    found = SPECS.get(version or DEFAULT)
    if found is None:
        raise InputError(
            f"there is no spec {version!r}",
            why=f"specs of Ignition: {', '.join(SPECS)} (the default is {DEFAULT})",
            next=did_you_mean(str(version), SPECS),
        )
    return found
