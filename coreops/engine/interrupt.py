"""Ctrl-C: once ends every host after its current step, twice kills what runs there. SIGTERM counts as the first."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from coreops.engine.engine import Engine
from coreops.events import Emit, Notice

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While open, signals stop and then abort ``engine`` instead of the program. Only for the main thread."""

    def __init__(self, engine: Engine, emit: Emit) -> None:
        self._engine = engine
        self._emit = emit
        self._count = 0
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # Talking to hosts takes time and locks: never inside a signal handler.
        self._count += 1
        first = self._count == 1
        self._engine.interrupted = True
        threading.Thread(target=self._first if first else self._second, daemon=True).start()

    def _first(self) -> None:
        self._emit(Notice("interrupted: every host finishes its current step; press Ctrl-C again to kill it"))
        self._engine.stop()

    def _second(self) -> None:
        self._emit(Notice("interrupted again: killing what runs on the hosts"))
        self._engine.abort()
