"""What the rules look at: one cloud-config, where it is for, and the parts that several rules ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coreops.cloudconfig.platforms.platform import Platform
from coreops.cloudconfig.validate.tree import Value
from coreops.model import Position


@dataclass(frozen=True, slots=True)
class Document:
    """A cloud-config that could be read. data: the bytes as they lie in the file."""

    file: str
    data: bytes
    text: str
    root: Value
    platform: Platform | None = None

    @property
    def top(self) -> Position:
        """The first line."""
        return Position(self.file, 1, 1)

    def files(self) -> Iterator[Value]:
        """The items of write_files that are mappings."""
        return _mappings(self.root.get("write_files"))

    def units(self) -> Iterator[Value]:
        """The items of coreos.units that are mappings."""
        return _mappings(self.root.get("coreos", "units"))

    def drop_ins(self, unit: Value) -> Iterator[Value]:
        """The drop-ins of a unit that are mappings."""
        return _mappings(unit.get("drop_ins"))


def _mappings(value: Value | None) -> Iterator[Value]:
    if value:
        yield from (item for item in value.items if item.kind == "mapping")
