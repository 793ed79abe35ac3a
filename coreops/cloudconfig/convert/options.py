"""The options of a conversion, checked. Knows the targets' names and no more of them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from coreops.cloudconfig.platforms.platform import VARIABLES
from coreops.errors import InputError, did_you_mean

TARGETS: Final = ("ignition", "cloud-init", "butane", "coreos")
SPECS: Final = ("3.3.0", "3.4.0")
_WITH_SPEC: Final = ("ignition", "butane")


def check_target(target: str) -> None:
    """Raises InputError for a target that there is not."""
    if target not in TARGETS:
        raise InputError(
            f"there is no target {target!r}",
            why=f"targets: {', '.join(TARGETS)}",
            next=did_you_mean(target, TARGETS),
        )


def check_spec(target: str, spec: str | None) -> str | None:
    """Return the version of Ignition's specification. Raises InputError."""
    if spec is not None and target not in _WITH_SPEC:
        raise InputError(f"--spec is for {' and '.join(_WITH_SPEC)}, not for {target}", next="leave it out")
    if spec is not None and spec not in SPECS:
        raise InputError(f"there is no spec {spec!r} here", why=f"specs: {', '.join(SPECS)}")
    return spec


def read_addresses(given: Iterable[str]) -> dict[str, str]:
    """``private_ipv4=10.0.0.1`` as a mapping. Raises InputError."""
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.removeprefix("$").partition("=")
        if name not in VARIABLES or not equals:
            raise InputError(
                f"--address {each!r} is not NAME=ADDRESS",
                why=f"names: {', '.join(VARIABLES)}",
                next=did_you_mean(name, VARIABLES),
            )
        try:
            version = ip_address(value).version
        except ValueError as error:
            raise InputError(f"--address {name}: no address", why=str(error)) from None
        if not name.endswith(str(version)):
            raise InputError(f"--address {name}: {value} is an address of IPv{version}")
        if found.setdefault(name, value) != value:
            raise InputError(f"--address {name} is given twice, with different addresses")
    return found
