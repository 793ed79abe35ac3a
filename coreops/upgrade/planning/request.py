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
    has. playbook: of the hooks, "" for the shipped one. takes_over: runs whose leases may be taken. start_none: only
    finish what is under way. targets: host -> what a rollback goes back to, once that was decided. connection:
    defaults for ``inventory.target``, without secrets.
    """

    kind: Kind = "upgrade"
    inventory: str
    version: str = ""
    playbook: str = ""
    limit: str | None = None
    zones: tuple[str, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    limit_rate: int | None = None
    stage_only: bool = False
    allow_downgrade: bool = False
    start_none: bool = False
    takes_over: tuple[str, ...] = ()
    targets: Mapping[str, str] = field(default_factory=dict)
    connection: Mapping[str, Any] = field(default_factory=dict)

    def written(self) -> dict[str, Any]:
        """As JSON has it; paths absolute, as ``resume`` may be typed in another folder."""
        connection = {key: value for key, value in self.connection.items() if key != "become_password"}
        return {**asdict(self), "inventory": str(Path(self.inventory).resolve()), "connection": connection}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Request:
        """What ``written`` wrote. Raises KeyError, TypeError for anything else."""
        known = {each.name: written[each.name] for each in fields(cls) if each.name in written}
        return cls(**{**known, **{name: tuple(known.get(name, ())) for name in ("zones", "takes_over")}})
