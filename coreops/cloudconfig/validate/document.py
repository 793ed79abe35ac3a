"""What the rules look at: one document, what it is for, and the parts that several rules ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coreops.cloudconfig.platforms.platform import Platform
from coreops.cloudconfig.validate.shapes import Shape
from coreops.cloudconfig.validate.tree import Value
from coreops.model import Position

if TYPE_CHECKING:
    from coreops.cloudconfig.validate.target import Target


@dataclass(frozen=True, slots=True)
class Document:
    """A document that could be read. data: the bytes as they lie in the file; version: that it says it has.

    memo: what several rules would otherwise find out again.
    """

    file: str
    data: bytes
    text: str
    root: Value
    target: Target
    platform: Platform | None = None
    version: str = ""
    memo: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def top(self) -> Position:
        """The first line."""
        return Position(self.file, 1, 1)

    @property
    def shape(self) -> Shape:
        """What the document may be."""
        return self.target.shape()

    def files(self) -> Iterator[Value]:
        """The files that are mappings."""
        return mappings(self.root.get(*self.target.files))

    def units(self) -> Iterator[Value]:
        """The units that are mappings."""
        return mappings(self.root.get(*self.target.units)) if self.target.units else iter(())

    def drop_ins(self, unit: Value) -> Iterator[Value]:
        """The drop-ins of a unit that are mappings."""
        return mappings(unit.get(self.target.drop_ins))


def mappings(value: Value | None) -> Iterator[Value]:
    """The items of a list that are mappings."""
    if value:
        yield from (item for item in value.items if item.kind == "mapping")
