"""The whole node."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from coreops.cloudconfig.model.base import Line, Part, once, wrong
from coreops.cloudconfig.model.clock import Clock
from coreops.cloudconfig.model.coreos import CoreOS
from coreops.cloudconfig.model.file import File
from coreops.cloudconfig.model.storage import Storage, Swap
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
    etc_hosts: more names, by address. From environment on, the keys are not in CoreOS's cloud-config.
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

    swap: Swap | None = None
    storage: Storage | None = None

    @model_validator(mode="after")
    def _once(self) -> Node:
        once("path", [file.path for file in self.write_files], "write_files", "path")
        once("unit", [unit.name for unit in self.coreos.units], "coreos", "units", "name")
        once("user", [user.name for user in self.users], "users", "name")
        written = {file.path for file in self.write_files}
        if self.swap and self.swap.file in written:
            raise wrong(f"{self.swap.file} is one of write_files too", "swap", "file")
        for index, each in enumerate(self.storage.filesystems if self.storage else ()):
            if each.path in written:
                raise wrong(f"{each.path} is one of write_files too", "storage", "filesystems", index, "path")
        return self
