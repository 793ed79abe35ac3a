"""``coreops units`` on the scheduler ``units``. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from coreops.schedulers.protocol import Talk
from coreops.schedulers.units import Units
from coreops.units.loading import Loaded
from coreops.units.rows import Status


class Own:
    """Units as they are, placed by coreops."""

    def __init__(self, scheduler: Units) -> None:
        self._scheduler = scheduler

    def submit(self, units: Sequence[Loaded]) -> Talk[None]:
        yield from self._scheduler.submit({unit.name.full: unit.text for unit in units}, start=False)

    def start(self, units: Sequence[Loaded], names: Collection[str]) -> Talk[None]:
        if units:
            yield from self._scheduler.submit({unit.name.full: unit.text for unit in units}, start=True)
        if names:
            yield from self._scheduler.desire(names, "launched")

    def stop(self, names: Collection[str]) -> Talk[None]:
        yield from self._scheduler.desire(names, "loaded")

    def destroy(self, names: Collection[str]) -> Talk[None]:
        yield from self._scheduler.destroy(names)

    def status(self) -> Talk[Status]:
        return (yield from self._scheduler.status())
