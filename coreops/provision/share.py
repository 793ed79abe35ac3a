"""One provider's part of an inventory, before and after it was asked what there is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from coreops.providers.protocol import Change, Machine, Provider, Wanted


@dataclass(frozen=True, slots=True)
class Share:
    """The machines that one opened provider is to make for one cluster."""

    provider: Provider
    cluster: str
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """A share, the machines of its cluster that were found, and what must happen to whom."""

    share: Share
    found: tuple[Machine, ...]
    changes: tuple[Change, ...]

    def wanted(self, node: str) -> Wanted:
        return next(each for each in self.share.wanted if each.node == node)

    def machine(self, node: str) -> Machine | None:
        return next((each for each in self.found if each.node == node), None)
