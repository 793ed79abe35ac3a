"""The kernel arguments that tell a machine where its user-data is served. Pure."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 2047
"""The most characters that Linux keeps of a command line on x86 (COMMAND_LINE_SIZE in arch/x86/include/asm/setup.h)."""
_ARGUMENTS: Final = {
    "coreos": ("cloud-config-url={}",),
    "ignition": ("flatcar.first_boot=1", "ignition.config.url={}"),
    "cloud-init": ("ds=nocloud-net;s={}",),
}


def arguments(target: str, url: str) -> tuple[str, ...]:
    """Return the arguments for user-data at a URL; of cloud-init the URL is the seed's (see ``seed``)."""
    return tuple(each.format(url) for each in _ARGUMENTS[target])
