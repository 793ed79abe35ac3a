"""Carries out what was prepared: one round after the other, each a coordinator and a cluster of its own over the same
connections and the same ledger.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from coreops.errors import CoreopsError, ExitCode
from coreops.events import Emit, Event, NodeFinished, NodePhase, Notice, Progress, RolloutPlanned
from coreops.upgrade.cluster.cluster import Cluster
from coreops.upgrade.cluster.nodes import Nodes
from coreops.upgrade.cluster.scheduling import Scheduling
from coreops.upgrade.cluster.world import World
from coreops.upgrade.coordinator import RULEBOOK, Coordinator, Outcome
from coreops.upgrade.coordinator.outcome import DOWN
from coreops.upgrade.coordinator.place import Place
from coreops.upgrade.coordinator.rules import Rule
from coreops.upgrade.gates.gateset import GateSet
from coreops.upgrade.ledger.protocol import Ledger
from coreops.upgrade.planning.prepare import Prepared, Stage
from coreops.upgrade.running.rollout import Rollout
from coreops.upgrade.running.runs import Log
from coreops.upgrade.slots.usr import driver

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ONLY_STAGING = "only staging was asked for"
STAGE_ONLY = replace(RULEBOOK, rules=(Rule("stage_only", "rollout", lambda s, node: _ONLY_STAGING),))
"""Nobody's turn ever comes; staging needs none."""


@dataclass(slots=True)
class Signals(AbstractContextManager["Signals"]):
    """Ctrl-C, SIGTERM or a terminal that goes away once: finish what is under way; twice: leave at once. Only for the
    main thread. Under nohup a terminal that goes away means nothing.
    """

    rollout: Rollout | None = None
    count: int = 0

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == self._handle:
                signal.signal(number, signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and self.count:
            return  # shell and kernel both tell of it
        self.count += 1
        if self.rollout is None:
            raise KeyboardInterrupt
        if self.count == 1:
            self.rollout.stop("interrupted")
        else:
            self.rollout.leave("interrupted twice: left at once")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """images: version and board -> the verified file on this machine."""

    prepared: Prepared
    nodes: Nodes
    ledger: Ledger
    log: Log
    emit: Emit
    images: Mapping[str, Path]
    scheduling: Scheduling | None = None

    def run(self, signals: Signals) -> int:
        """All rounds, as long as they end well. Return the exit code; every host's end is told once."""
        stages = self.prepared.stages
        code = int(ExitCode.DONE)
        self.log.write({"request": self.prepared.request.written()}, sync=True)
        for number, stage in enumerate(stages, start=1):
            last = number == len(stages)
            self.log.write({"plan": asdict(stage.plan)}, sync=True)
            hosts = tuple(node.name for node in stage.plan.nodes)
            self.emit(RolloutPlanned(stage.plan.run, stage.plan.version, hosts, number, len(stages)))
            code = self._round(stage, signals, self.emit if last else _without_ends(self.emit))
            if code or signals.count:
                self._rest(stages[number:])
                break
        return code or (int(ExitCode.INTERRUPTED) if signals.count and number < len(stages) else 0)

    def _round(self, stage: Stage, signals: Signals, emit: Emit) -> int:
        only_stage = self.prepared.wishes.request.stage_only
        coordinator = Coordinator(stage.plan, STAGE_ONLY if only_stage else RULEBOOK)
        cluster = Cluster(self._world(stage))
        rollout = Rollout(coordinator, cluster, self.log, _staged_is_well(emit) if only_stage else emit)
        signals.rollout = rollout
        cluster.keep_alive()
        try:
            code = rollout.run()
            self._give_back(coordinator)
        finally:
            cluster.close()
        if only_stage:
            code = _staged(coordinator)
        elif stage.plan.start_none and code == ExitCode.INTERRUPTED:
            code = int(ExitCode.DONE)  # that some were not reached is what was asked for
        ends = {node: outcome.value for node, outcome in coordinator.outcomes.items()}
        finished = not any(outcome is Outcome.LOST for outcome in coordinator.outcomes.values())
        self.log.write({"end": {"code": code, "outcomes": ends, "finished": finished}}, sync=True)
        return code

    def _give_back(self, coordinator: Coordinator) -> None:
        """The leases that the dead runs this one goes on for still have of nodes on which nothing of them is left."""
        dead = coordinator.plan.takes_over
        if not dead or coordinator.refused:
            return
        try:
            for lease in self.ledger.held():
                if lease.run in dead and coordinator.outcomes.get(lease.node, Outcome.LOST) not in DOWN:
                    self.ledger.acquire(lease.node, reason="give it back", boot_id=lease.boot_id, takes_over=dead)
                    self.ledger.release(lease.node)
        except CoreopsError as error:
            self.emit(Notice(f"a dead run's leases could not be given back: {error.what} (coreops locks list)"))

    def _world(self, stage: Stage) -> World:
        wishes = self.prepared.wishes
        hosts = [node.name for node in stage.plan.nodes]
        release = stage.release
        return World(
            run=stage.plan.run,
            version=stage.plan.version,
            nodes=self.nodes,
            driver=driver(),
            gates=GateSet(
                {host: wishes.settings.hosts[host].gates for host in hosts},
                tuple(wishes.fleet.members.values()),
                answer=stage.plan.policy.patience.answer,
            ),
            drains={host: wishes.settings.hosts[host].drain for host in hosts},
            patience=stage.plan.policy.patience,
            hooks=wishes.hooks,
            ledger=self.ledger,
            members=wishes.fleet.members,
            emit=self.emit,
            release=release,
            image=self.images.get(f"{release.version} {release.board}") if release else None,
            takes_over=stage.plan.takes_over,
            scheduling=self.scheduling,
        )

    def _rest(self, stages: tuple[Stage, ...]) -> None:
        """Whoever was only in the rounds that did not come."""
        told = {node.name for stage in self.prepared.stages[: -len(stages) or None] for node in stage.plan.nodes}
        for stage in stages:
            for node in stage.plan.nodes:
                if node.name not in told:
                    told.add(node.name)
                    why = f"the round for {stage.plan.version} was not begun"
                    self.emit(NodeFinished(node.name, Outcome.NOT_REACHED.value, False, why=why))


def needed(prepared: Prepared) -> list[Stage]:
    """The rounds whose image has to travel to somebody."""
    seen = prepared.seen
    return [
        stage
        for stage in prepared.stages
        if stage.release
        and not stage.plan.start_none
        and any(
            one.version != stage.plan.version and one.staged != stage.plan.sha256
            for node in stage.plan.nodes
            if (one := seen.get(node.name)) is not None
        )
    ]


def fetch(prepared: Prepared, emit: Emit) -> dict[str, Path]:
    """Have the images on this machine, verified now. Raises RefusedError, CoreopsError."""
    repository = prepared.wishes.repository
    found: dict[str, Path] = {}
    for stage in needed(prepared):
        release = stage.release
        if release is None or repository is None:
            continue

        def tell(done: int, total: int, title: str = f"image {release.version}") -> None:
            emit(Progress("controller", title, done, total))

        found[f"{release.version} {release.board}"] = repository.image(release, tell)
    return found


def _staged(coordinator: Coordinator) -> int:
    """A node that waits for its turn has what was asked for."""
    ready = {name for name, turn in coordinator.turns.items() if turn.place is Place.READY}
    others = {o for name, o in coordinator.outcomes.items() if name not in ready or o is not Outcome.NOT_REACHED}
    return 0 if others <= {Outcome.CURRENT, Outcome.DONE} else coordinator.exit_code


def _staged_is_well(emit: Emit) -> Emit:
    """Whom no turn came for has what was asked for."""

    def pass_on(event: Event) -> None:
        if isinstance(event, NodeFinished) and event.why == _ONLY_STAGING:
            event = replace(event, state="staged", ok=True, why="")
        emit(event)

    return pass_on


def _without_ends(emit: Emit) -> Emit:
    """A node's end in a round that is not the last is not its end."""

    def pass_on(event: Event) -> None:
        if isinstance(event, NodeFinished) and event.ok:
            event = NodePhase(event.host, "waiting", event.slot, event.version, "for the next round")
        emit(event)

    return pass_on
