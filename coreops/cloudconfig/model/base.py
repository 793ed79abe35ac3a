"""What all parts of a node share: strict, frozen, no unknown keys, ``-`` and ``_`` alike in keys. Knows no target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


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


def _one_line(value: str) -> str:
    if bad := next((c for c in value if c in "\n\r\0"), None):
        raise ValueError(f"a {bad!r} in it; it must be one line")
    return value


Line = Annotated[str, AfterValidator(_one_line)]
"""Text without line breaks: it becomes a line, or a part of one, of a file on the node."""
Port = Annotated[int, Field(ge=1, le=65535)]
