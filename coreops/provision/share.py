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

    @property
    def nodes(self) -> frozenset[str]:
        return frozenset(each.node for each in self.wanted)


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

    def is_stray(self, node: str) -> bool:
        """Say whether nobody wants this provider to have made the node."""
        return any(change.node == node and change.action == "remove" for change in self.changes)
