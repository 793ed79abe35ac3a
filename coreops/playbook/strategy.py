"""When a host may begin its next task: at once (``free``), or when its batch has finished the one before (``linear``).

Pure. The programs of one batch share a strategy and call it from their own threads; each call changes one entry of a
dict. In ``linear`` a failure acts at the border of its task: the other hosts still finish that task.
"""

from __future__ import annotations

from collections.abc import Mapping

from coreops.playbook.pending import Signal

Place = tuple[int, int]
"""Which task of the play; below a flush, which handler. A task stands before the handlers of its own index."""

_FIRST: Place = (0, -1)
_GATHERING: Place = (-1, -1)


class Behind(Signal):
    """Others of the batch have not finished the task before. ``host``: one of them."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


class Free:
    """No host waits for another one. gather: the play begins by gathering facts, which is a task of its own."""

    def __init__(
        self, *, gather: bool = False, any_errors_fatal: bool = False, max_fail_percentage: float | None = None
    ) -> None:
        self._first = _GATHERING if gather else _FIRST
        self._any_errors_fatal = any_errors_fatal
        self._max_fail_percentage = max_fail_percentage

    @property
    def over(self) -> bool:
        """Is nobody left whom a fatal failure may not disturb?"""
        return True

    def enter(self, host: str) -> None:
        """A host will take part. All enter before the first one begins."""

    def arrived(self, host: str, place: Place) -> bool:
        """Has the host arrived at this place already, or passed it (a handler that notifies an earlier one)?"""
        return True

    def arrive(self, host: str, place: Place) -> None:
        """The host has finished everything before ``place``."""

    def wait(self, host: str) -> None:
        """Raise Behind when the host may not begin the task at its place yet."""

    def waits(self, host: str) -> bool:
        """Can the host get no further until another one moves?"""
        return False

    def why_stop(self, host: str) -> str | None:
        """Why the host must not begin the task at its place: what failed before has used up the play's budget."""
        return None

    def leave(self, host: str, *, failed: bool = False, fatal: bool = False) -> None:
        """The host has ended. Nobody waits for it any more."""


class Linear(Free):
    """No host begins a task before every live host of its batch has finished the one before."""

    def __init__(
        self, *, gather: bool = False, any_errors_fatal: bool = False, max_fail_percentage: float | None = None
    ) -> None:
        super().__init__(gather=gather, any_errors_fatal=any_errors_fatal, max_fail_percentage=max_fail_percentage)
        self._hosts: list[str] = []
        self._places: dict[str, Place] = {}
        self._failed: dict[str, Place] = {}
        self._fatal: dict[str, Place] = {}

    @property
    def over(self) -> bool:
        return not self._places

    def enter(self, host: str) -> None:
        self._hosts.append(host)
        self._places[host] = self._first

    def arrived(self, host: str, place: Place) -> bool:
        return self._places[host] >= place

    def arrive(self, host: str, place: Place) -> None:
        self._places[host] = max(place, self._places[host])

    def wait(self, host: str) -> None:
        own = self._places[host]
        # The last in order, as hosts start in order: it is likely to arrive last, so that others ask again rarely.
        behind = next((other for other in reversed(self._hosts) if self._places.get(other, own) < own), None)
        if behind is not None:
            raise Behind(behind)

    def waits(self, host: str) -> bool:
        own = self._places.get(host)
        return own is not None and any(place < own for place in list(self._places.values()))

    def why_stop(self, host: str) -> str | None:
        own = self._places[host]
        fatal = sorted(other for other, place in list(self._fatal.items()) if place < own)
        if fatal:
            return f"any_errors_fatal: {', '.join(fatal)} failed"
        bad, size = sum(place < own for place in list(self._failed.values())), len(self._hosts)
        if self._max_fail_percentage is not None and bad * 100 / size > self._max_fail_percentage:
            return f"{bad} of {size} hosts failed, more than max_fail_percentage {self._max_fail_percentage:g}"
        return None

    def leave(self, host: str, *, failed: bool = False, fatal: bool = False) -> None:
        place = self._places.get(host)
        if place is None:
            return
        # Noted before others may pass.
        if failed:
            self._failed[host] = place
        if failed and (fatal or self._any_errors_fatal):
            self._fatal[host] = place
        del self._places[host]


STRATEGIES: Mapping[str, type[Free]] = {"free": Free, "linear": Linear}
