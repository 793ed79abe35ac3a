"""One rollout: hears what happened, lets the coordinator decide, writes down what is to be done, does it. Holds no rule
of its own; time, queue and log meet the pure coordinator here.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Protocol

from coreops.errors import InterruptedRun
from coreops.events import Emit, NodeFinished, NodePhase, Notice
from coreops.upgrade.coordinator import Coordinator
from coreops.upgrade.coordinator.outcome import WELL, Outcome
from coreops.upgrade.observation import Observation
from coreops.upgrade.protocol import ROLLOUT, Action, Did, Do, Failed, Happening, LeaseLost, Stop, Tick
from coreops.upgrade.running.runs import Log

POLL = 0.5
"""Seconds after which the loop looks whether it was asked to end."""


class Sends(Protocol):
    """What a rollout needs of a cluster, real or simulated."""

    answers: SimpleQueue[Happening | Exception]

    def send(self, do: Do, note: str = "") -> None:
        """Carry it out; the answer goes into ``answers``."""

    @property
    def seen(self) -> Mapping[str, Observation]:
        """What each node was last seen to be."""


class Rollout:
    """Runs a coordinator to its end."""

    def __init__(self, coordinator: Coordinator, cluster: Sends, log: Log, emit: Emit) -> None:
        self._coordinator = coordinator
        self._cluster = cluster
        self._log = log
        self._emit = emit
        self._waiting: list[tuple[float, int, Do]] = []
        self._phases: dict[str, tuple[str, str]] = {}
        self._stopped = False

    def stop(self, why: str) -> None:
        """Begin nothing new, finish what is under way. May be called from a signal handler."""
        self._cluster.answers.put(Stop(why))

    def leave(self, why: str) -> None:
        """End at once; nodes stay as they are, ``resume`` goes on. May be called from a signal handler."""
        self._cluster.answers.put(InterruptedRun(why, next="coreops resume goes on from here"))

    def run(self) -> int:
        """Return the exit code. Raises InterruptedRun after ``leave``."""
        try:
            return self._run()
        except Exception:
            self._break_off()
            raise

    def _run(self) -> int:
        coordinator = self._coordinator
        self._do(coordinator.begin(time.monotonic(), time.time()))
        while not coordinator.over:
            happening = self._next()
            if isinstance(happening, Stop):
                self._stopped = True
                what = "finishing what is under way, beginning nothing new; Ctrl-C (again) leaves at once"
                self._emit(Notice(f"{happening.why}: {what}"))
            if isinstance(happening, Failed) and happening.node == ROLLOUT and happening.kind == "busy":
                self._emit(Notice("coreops locks explain says who that is; coreops resume RUN finishes what it left"))
            if not isinstance(happening, Tick):
                self._log.write({type(happening).__name__.lower(): happening})
            self._do(coordinator.handle(happening, time.monotonic(), time.time()))
            self._show(happening)
        self._finish()
        return int(coordinator.exit_code)

    def _next(self) -> Happening:
        """The next thing that happens; a Tick when the coordinator, or a Do that had to wait, wants one."""
        while True:
            now = time.monotonic()
            if self._waiting and self._waiting[0][0] <= now:
                self._send_due(now)
            if not self._stopped and self._log.asked_to_stop():
                return Stop("coreops abort")
            wake = self._coordinator.wake()
            if wake is not None and wake <= now and self._cluster.answers.empty():
                return Tick()
            moments = [now + POLL, *([wake] if wake is not None else []), *(at for at, _, _ in self._waiting[:1])]
            try:
                found = self._cluster.answers.get(timeout=max(0.0, min(moments) - now))
            except Empty:
                continue
            if isinstance(found, Exception):
                raise found
            return found

    def _do(self, todo: list[Do]) -> None:
        """Write it all down, then send what is due; the log knows of everything that may have been done."""
        if not todo:
            return
        self._log.write(*({"do": do} for do in todo), sync=True)
        for do in todo:
            heapq.heappush(self._waiting, (do.at, do.serial, do))
            self._note(do.node)
        self._send_due(time.monotonic())

    def _send_due(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, _, do = heapq.heappop(self._waiting)
            self._cluster.send(do, self._reason(do))

    def _reason(self, do: Do) -> str:
        """What is left behind with a denial."""
        if do.action is not Action.DENY:
            return ""
        if self._coordinator.plan.deny_source:
            return "the operator rolled back"
        return self._coordinator.situation.failed.get(do.node) or self._coordinator.turns[do.node].why

    def _show(self, happening: Happening) -> None:
        if isinstance(happening, Did | Failed | LeaseLost):
            self._note(happening.node, happening.why if isinstance(happening, Failed | LeaseLost) else "")
        else:
            for node in self._coordinator.turns:
                self._note(node)
        self._log.tell(self._state)

    def _note(self, node: str, said: str = "") -> None:
        """Tell of a phase that is new, of a failure in it (of the same one once), of the end."""
        turn = self._coordinator.turns.get(node)
        phase, heard = self._phases.get(node, ("", ""))
        if turn is None or (phase == turn.phase and (said in ("", heard) or turn.outcome is not None)):
            return
        self._phases[node] = (turn.phase, said)
        seen = self._cluster.seen.get(node)
        slot, version = (seen.slot, seen.version) if seen else ("", "")
        if turn.outcome is None:
            self._emit(NodePhase(node, turn.phase, slot, version, said))
            return
        why = turn.why
        if turn.outcome is Outcome.ROLLED_BACK:  # where it is now is told; what the matter was is not
            why = self._coordinator.situation.failed.get(node, why)
        self._emit(NodeFinished(node, turn.outcome.value, turn.outcome in WELL, slot, version, why))

    def _state(self) -> dict[str, object]:
        turns = self._coordinator.turns
        nodes = {node: {"phase": turn.phase, "why": self._coordinator.why(node)} for node, turn in turns.items()}
        return {"over": self._coordinator.over, "nodes": nodes}

    def _break_off(self) -> None:
        """Nodes stay as they are; none is left without a word (I9)."""
        for node, turn in self._coordinator.turns.items():
            if turn.outcome is not None:
                self._note(node)
                continue
            end = Outcome.LOST if turn.holds else Outcome.NOT_REACHED
            why = f"left in the middle of: {turn.phase}; coreops resume" if turn.holds else "the run broke off"
            seen = self._cluster.seen.get(node)
            slot, version = (seen.slot, seen.version) if seen else ("", "")
            self._emit(NodeFinished(node, end.value, False, slot, version, why))

    def _finish(self) -> None:
        for node in self._coordinator.turns:
            self._note(node)
        self._log.tell(self._state, now=True)
