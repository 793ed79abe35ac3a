"""The whole node."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from coreops.cloudconfig.model.base import Line, Part
from coreops.cloudconfig.model.clock import Clock
from coreops.cloudconfig.model.coreos import CoreOS
from coreops.cloudconfig.model.file import File
from coreops.cloudconfig.model.user import User

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EnvName = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]


def _address(text: str) -> str:
    from ipaddress import ip_address

    ip_address(text)
    return text


Address = Annotated[str, AfterValidator(_address)]
HostName = Annotated[Line, Field(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=253)]


class Node(Part):
    """Everything a machine is told at birth.

    ssh_authorized_keys: of the default user (core). environment: of logins and of units that read /etc/environment.
    etc_hosts: more names, by address. The last three are not in CoreOS's cloud-config.
    """

    hostname: HostName | None = None
    ssh_authorized_keys: tuple[Line, ...] = ()
    users: tuple[User, ...] = ()
    write_files: tuple[File, ...] = ()
    manage_etc_hosts: Literal["localhost"] | None = None
    coreos: CoreOS = CoreOS()
    environment: dict[EnvName, Line] = Field(default={})
    etc_hosts: dict[Address, tuple[HostName, ...]] = Field(default={})
    time: Clock | None = None

    @model_validator(mode="after")
    def _once(self) -> Node:
        for what, names in (
            ("path", [file.path for file in self.write_files]),
            ("unit", [unit.name for unit in self.coreos.units]),
            ("user", [user.name for user in self.users]),
        ):
            twice = [name for name, times in Counter(names).items() if times > 1]
            if twice:
                raise ValueError(f"the {what} {twice[0]} is there twice")
        return self
