"""What happens during a run, as typed events. Emitters call an ``Emit``; renderers and the journal subscribe.

Knows only the model. An event never carries a secret: emitters drop messages of results marked secret.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from coreops.model import TaskResult


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    run: str
    command: str
    hosts: tuple[str, ...]
    check: bool = False


@dataclass(frozen=True, slots=True)
class PhaseStarted(Event):
    """A named phase of a larger job (bootstrap, upgrade). index counts from 1."""

    title: str
    index: int
    total: int


@dataclass(frozen=True, slots=True)
class PhaseFinished(Event):
    title: str
    summary: str
    ok: bool = True


@dataclass(frozen=True, slots=True)
class PlayStarted(Event):
    play: str
    hosts: tuple[str, ...]
    batch: int = 1
    batches: int = 1


@dataclass(frozen=True, slots=True)
class HostConnected(Event):
    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HostUnreachable(Event):
    host: str
    kind: str
    message: str
    why: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class SegmentSent(Event):
    """One exchange with a host begins."""

    host: str
    segment: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    host: str
    step: str
    title: str


@dataclass(frozen=True, slots=True)
class TaskFinished(Event):
    """A task, or one item of its loop, ended on a host."""

    host: str
    task: str
    name: str
    result: TaskResult
    item: str = ""
    ignored: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """Bytes of a transfer to a host."""

    host: str
    title: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class HostFinished(Event):
    """A host is done with its play. state: done, failed, unreachable, interrupted. error: why not done."""

    host: str
    state: str
    ok: int = 0
    changed: int = 0
    failed: int = 0
    skipped: int = 0
    exchanges: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something the operator should read that is not an error."""

    text: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class RolloutPlanned(Event):
    """A rollout is about to begin. hosts: in their order. version "": finish what is under way, begin nothing."""

    run: str
    version: str
    hosts: tuple[str, ...]
    round: int = 1
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class NodePhase(Event):
    """A node of a rollout has got to a phase (upgrade coordinator). slot, version: as last seen there; "": not yet."""

    host: str
    phase: str
    slot: str = ""
    version: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class StoreHealth(Event):
    """How the etcd cluster answered during a rollout. leader "": none known."""

    voters: int
    healthy: int
    leader: str = ""


@dataclass(frozen=True, slots=True)
class NodeFinished(Event):
    """A node's end in a rollout. state: the coordinator's word for it; ok: nothing is left to be done there."""

    host: str
    state: str
    ok: bool
    slot: str = ""
    version: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    run: str
    exit_code: int
    seconds: float
    states: dict[str, str] = field(default_factory=dict)


Emit = Callable[[Event], None]
