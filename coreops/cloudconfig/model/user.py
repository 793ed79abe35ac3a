"""An account."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from coreops.cloudconfig.model.base import Line, Part

# useradd refuses what /etc/passwd and /etc/group cannot hold, and there the boot ends.
Path = Annotated[Line, Field(pattern="^/[^:]*$")]
Group = Annotated[Line, Field(pattern=r"^[^\s:,/-][^\s:,/]*$")]


class User(Part):
    """One of ``users``. ``passwd`` is a hash as crypt(5) makes it."""

    name: Annotated[Line, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
    passwd: Annotated[Line, Field(pattern=r"^([$!*]|[./0-9A-Za-z]{13}$)")] | None = None
    ssh_authorized_keys: tuple[Line, ...] = ()
    coreos_ssh_import_github: Line | None = None
    coreos_ssh_import_github_users: tuple[Line, ...] = ()
    coreos_ssh_import_url: Line | None = None
    gecos: Annotated[Line, Field(pattern="^[^:]*$")] | None = None
    homedir: Path | None = None
    no_create_home: bool = False
    primary_group: Group | None = None
    groups: tuple[Group, ...] = ()
    no_user_group: bool = False
    system: bool = False
    no_log_init: bool = False
    shell: Path | None = None
