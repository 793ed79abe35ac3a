"""What all parts of a node share: strict, frozen, no unknown keys, ``-`` and ``_`` alike in keys. Knows no target."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


class Part(BaseModel):
    """A part of the node model."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _underscores(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        plain: dict[Any, Any] = {}
        for key, each in value.items():
            name = key.replace("-", "_") if isinstance(key, str) else str(key)
            if name in plain:
                raise ValueError(f"{key!r} is written twice, with - and with _")
            plain[name] = each
        return plain

    def written(self) -> dict[str, Any]:
        """The keys that were given, in the model's order."""
        given = self.model_fields_set
        return {name: getattr(self, name) for name in type(self).model_fields if name in given}


def wrong(why: str, *at: int | str) -> PydanticCustomError:
    """An error of a part, about what is below it at ``at``: its place in the file is that value's."""
    # The words are not a template: they may hold braces.
    return PydanticCustomError("wrong", "{why}", {"why": why, "at": at})


def once(what: str, values: Sequence[Hashable], *at: str) -> None:
    """Refuse the second of two equal values. at: the list's key, and the key in its items."""
    seen: set[Hashable] = set()
    for index, value in enumerate(values):
        if value is not None and value in seen:
            raise wrong(f"the {what} {value} is there twice", *at[:-1], index, at[-1])
        seen.add(value)


def _one_line(value: str) -> str:
    if bad := next((c for c in value if c in "\n\r\0"), None):
        raise ValueError(f"a {bad!r} in it; it must be one line")
    return value


Line = Annotated[str, AfterValidator(_one_line)]
"""Text without line breaks: it becomes a line, or a part of one, of a file on the node."""
Port = Annotated[int, Field(ge=1, le=65535)]
