"""The variables that say how to reach a host: coreops's names, and Ansible's, which mean the same.

coreops's names carry a prefix because plain ``port`` and ``user`` are ordinary variables in most inventories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from coreops.errors import InputError
from coreops.inventory.data import Setting
from coreops.model import Position

if TYPE_CHECKING:
    from coreops.inventory.inventory import Inventory

Render = Callable[[str, Position], Any]

ALIASES: Mapping[str, tuple[str, ...]] = {
    "address": ("coreops_address", "ansible_host", "ansible_ssh_host"),
    "port": ("coreops_port", "ansible_port", "ansible_ssh_port"),
    "user": ("coreops_user", "ansible_user", "ansible_ssh_user"),
    "identity_file": ("coreops_identity_file", "ansible_ssh_private_key_file", "ansible_private_key_file"),
    "ssh_args": ("coreops_ssh_args", "ansible_ssh_common_args"),
    "proxy_jump": ("coreops_proxy_jump",),
    "known_hosts": ("coreops_known_hosts",),
    "transport": ("coreops_transport", "ansible_connection"),
    "become": ("coreops_become", "ansible_become"),
    "become_password": (
        *("coreops_become_password", "ansible_become_password", "ansible_become_pass"),
        *("ansible_sudo_pass", "ansible_sudo_password"),
    ),
    "connect_timeout": ("coreops_connect_timeout", "ansible_ssh_timeout", "ansible_timeout"),
}
"""What a Target needs, and the variables that may say it."""

SECRETS = frozenset(ALIASES["become_password"]) | {"ansible_password", "ansible_ssh_pass", "ansible_ssh_password"}
"""Variables whose values are never shown."""

_REFUSED: Mapping[str, tuple[Callable[[Any], bool], str, str]] = {
    **dict.fromkeys(
        ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
        (lambda value: value is not None, "passwords for the login are not supported", "use a key"),
    ),
    **dict.fromkeys(
        ("ansible_host_key_checking", "ansible_ssh_host_key_checking"),
        (
            lambda value: as_bool(value) is False,
            "host keys are always checked",
            "remove it; put the keys into known_hosts beside the inventory, or record them once with --accept-new",
        ),
    ),
    "ansible_become_method": (
        lambda value: value not in (None, "sudo", "ansible.builtin.sudo"),
        "only sudo is supported to become root",
        "remove it, or set it to sudo",
    ),
}


class Reader:
    """Reads the connection variables of one host. ``render`` templates a value that holds ``{{``."""

    def __init__(self, inventory: Inventory, host: str, render: Render | None) -> None:
        self.settings = inventory.settings(host)
        self.host = host
        self.render = render

    def get(self, what: str) -> Setting | None:
        """Return the value for a key of ALIASES. Raises InputError when two names disagree."""
        found: list[tuple[str, Setting]] = []
        for name in ALIASES[what]:
            setting = self.named(name)
            if setting is not None and setting.value is not None:
                found.append((name, setting))
        if not found:
            return None
        name, setting = found[0]
        for other, rival in found[1:]:
            if str(rival.value) != str(setting.value):
                raise InputError(
                    f"{name} and {other} of host {self.host!r} differ",
                    where=setting.position,
                    why=f"{other} is set at {rival.position}",
                    next="keep one of them: they mean the same",
                )
        return setting

    def named(self, name: str) -> Setting | None:
        """Return the value of one variable, templated."""
        setting = self.settings.get(name)
        if setting is None or not isinstance(setting.value, str) or "{{" not in setting.value:
            return setting
        if self.render is None:
            raise InputError(
                f"{name} of host {self.host!r} holds a template, which cannot be used here",
                where=setting.position,
                next="write the value itself",
            )
        return Setting(self.render(setting.value, setting.position), setting.position, setting.overrides)

    def refuse(self) -> None:
        """Raise InputError for a variable that asks for what coreops does not do."""
        for name, (asks, what, hint) in _REFUSED.items():
            setting = self.settings.get(name)
            if setting is not None and asks(setting.value):
                raise InputError(what, where=setting.position, why=f"{name} is set for host {self.host!r}", next=hint)


def as_bool(value: Any) -> bool | None:
    """Return the truth value Ansible sees in ``value``, or None when it sees none."""
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ("yes", "true", "on", "1", "y", "t"):
        return True
    return False if word in ("no", "false", "off", "0", "n", "f") else None
