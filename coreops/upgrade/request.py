"""What an operator asked a rollout for, as one value; written down, so that ``resume`` asks for the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

Kind = Literal["upgrade", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """flags: values for ``settings`` that win over the inventory's. version: exactly this one, whatever the channel
    has. takes_over: runs whose leases may be taken. start_none: only finish what is under way. connection: defaults
    for ``inventory.target``, without secrets.
    """

    kind: Kind = "upgrade"
    inventory: str
    version: str = ""
    limit: str | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    limit_rate: int | None = None
    stage_only: bool = False
    allow_downgrade: bool = False
    start_none: bool = False
    takes_over: tuple[str, ...] = ()
    connection: Mapping[str, Any] = field(default_factory=dict)

    def written(self) -> dict[str, Any]:
        """As JSON has it; paths absolute, as ``resume`` may be typed in another folder."""
        return {**asdict(self), "inventory": str(Path(self.inventory).resolve())}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Request:
        """What ``written`` wrote. Raises KeyError, TypeError for anything else."""
        known = {each.name: written[each.name] for each in fields(cls) if each.name in written}
        return cls(**{**known, "takes_over": tuple(known.get("takes_over", ()))})
