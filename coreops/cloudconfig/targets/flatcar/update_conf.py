"""``coreos.update`` and ``coreos.locksmith`` as Flatcar reads them: one file of variables. Knows no text format.

update-engine takes the values letter by letter, locksmithd through systemd's EnvironmentFile: nothing is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from coreops.cloudconfig.model.coreos import CoreOS
from coreops.cloudconfig.targets import environment
from coreops.errors import InputError

PATH: Final = "/etc/flatcar/update.conf"
_ALIKE = re.compile(r"""[^\s"'\\#;]([^"'\\]*[^\s"'\\])?""")
_WINDOW = {
    "window_start": "LOCKSMITHD_REBOOT_WINDOW_START",
    "window_length": "LOCKSMITHD_REBOOT_WINDOW_LENGTH",
}


def settings(coreos: CoreOS) -> dict[str, str]:
    """The variables, {} when neither section says anything."""
    found = environment.variables(coreos.update, "") if coreos.update else {}
    return found | (environment.variables(coreos.locksmith, "LOCKSMITHD_", _WINDOW) if coreos.locksmith else {})


def secret(values: Mapping[str, str]) -> bool:
    """Is there a password among them?"""
    return any("PASSWORD" in name for name in values)


def text(values: Mapping[str, str]) -> str:
    """The content of the file. Raises InputError for a value that its readers would take differently."""
    for name, value in values.items():
        if value and not _ALIKE.fullmatch(value):
            raise InputError(
                f"the value of {name} cannot be written so that every reader of {PATH} takes it alike",
                why="there is a quote or a \\ in it, or a blank at an end",
            )
    return "".join(f"{name}={value}\n" for name, value in values.items())
