"""What a rule found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coreops.model import Position

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. error: the machine will not be what the file says; warning: it may not; info: good to know.

    unreadable: the file could not be judged at all. rule and source are filled in from the table of rules.
    """

    at: Position
    severity: Severity
    message: str
    why: str = ""
    next: str = ""
    rule: str = ""
    source: str = ""
    unreadable: bool = False

    def __str__(self) -> str:
        more = "; ".join(part for part in (self.why, self.next) if part)
        return f"{self.at} {self.severity} {self.message}" + (f" ({more})" if more else "") + f" [{self.rule}]"
