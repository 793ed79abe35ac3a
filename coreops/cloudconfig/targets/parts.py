"""What targets write in place of keys that they have not: files, drop-ins, small units. Knows no target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coreops.cloudconfig.model.base import Part
from coreops.cloudconfig.model.clock import Clock
from coreops.cloudconfig.model.docker import Docker
from coreops.cloudconfig.model.node import Node
from coreops.cloudconfig.model.unit import DropIn, Unit
from coreops.cloudconfig.targets import environment
from coreops.errors import InputError

HEADER = "#cloud-config\n"
DROP_IN = "20-coreops.conf"


def plain(value: Any) -> Any:
    """A part as plain data: what was given, without what is empty or merely the default."""
    if isinstance(value, Part):
        shown = {key: plain(each) for key, each in value.written().items()}
        fields = type(value).model_fields
        return {key: each for key, each in shown.items() if each not in (None, [], {}) and each != fields[key].default}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value


def with_file(files: list[dict[str, Any]], path: str, content: str, key: str, **more: Any) -> None:
    """Add a file that stands for ``key``. Raises InputError when the node writes that file itself."""
    if any(each["path"] == path for each in files):
        raise InputError(f"{key} is written to {path}, and so is one of write_files", next=f"remove {key} or that file")
    files.append({"path": path, "content": content, **more})


def with_drop_in(units: Iterable[Unit], name: str, content: str) -> tuple[Unit, ...]:
    """The units with one more drop-in; a unit that is not among them comes first, before one starts that needs it."""
    new = DropIn(name=DROP_IN, content=content)
    found = list(units)
    for index, unit in enumerate(found):
        if unit.name == name:
            found[index] = unit.model_copy(update={"drop_ins": (*unit.drop_ins, new)})
            found[index].model_fields_set.add("drop_ins")
            return tuple(found)
    return (Unit(name=name, drop_ins=(new,)), *found)


def docker_drop_in(docker: Docker) -> str:
    """dockerd's flags, as the unit of CoreOS and of Debian reads them."""
    return environment.drop_in({"DOCKER_OPTS": " ".join(docker.flags)})


def hosts_lines(hosts: Mapping[str, tuple[str, ...]]) -> str:
    """Lines of /etc/hosts."""
    return "".join(f"{address} {' '.join(names)}\n" for address, names in hosts.items())


def hosts_file(node: Node) -> str:
    """The whole of /etc/hosts: of this machine, and of the others."""
    own = f" {node.hostname}" if node.manage_etc_hosts and node.hostname else ""
    return f"127.0.0.1 localhost{own}\n::1 localhost\n{hosts_lines(node.etc_hosts)}"


def timesyncd(clock: Clock) -> str:
    """A drop-in for systemd-timesyncd."""
    return f"[Time]\nNTP={' '.join(clock.servers)}\n"


def given(part: Part | None) -> list[str]:
    """The keys of an optional part that have a value."""
    return [key for key, value in part.written().items() if value is not None] if part else []
