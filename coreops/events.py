"""What happens during a run, as typed events. Emitters call an ``Emit``; renderers and the journal subscribe.

Knows only the model. An event never carries a secret: emitters drop messages of results marked secret.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from coreops.frozen import frozen
from coreops.model import TaskResult


@frozen
class Event:
    """Base of all events."""


@frozen
class RunStarted(Event):
    run: str
    command: str
    hosts: tuple[str, ...]
    check: bool = False


@frozen
class PhaseStarted(Event):
    """A named phase of a larger job (bootstrap, upgrade). index counts from 1."""

    title: str
    index: int
    total: int


@frozen
class PhaseFinished(Event):
    title: str
    summary: str
    ok: bool = True


@frozen
class PlayStarted(Event):
    play: str
    hosts: tuple[str, ...]
    batch: int = 1
    batches: int = 1


@frozen
class HostConnected(Event):
    host: str
    seconds: float


@frozen
class HostUnreachable(Event):
    host: str
    kind: str
    message: str
    why: str = ""
    next: str = ""


@frozen
class SegmentSent(Event):
    """One exchange with a host begins."""

    host: str
    segment: str
    steps: tuple[str, ...]


@frozen
class StepStarted(Event):
    host: str
    step: str
    title: str


@frozen
class TaskFinished(Event):
    """A task, or one item of its loop, ended on a host."""

    host: str
    task: str
    name: str
    result: TaskResult
    item: str = ""
    ignored: bool = False
    seconds: float = 0.0


@frozen
class Progress(Event):
    """Bytes of a transfer to a host."""

    host: str
    title: str
    done: int
    total: int


@frozen
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


@frozen
class Notice(Event):
    """Something the operator should read that is not an error."""

    text: str
    host: str = ""


@frozen
class RolloutPlanned(Event):
    """A rollout is about to begin. hosts: in their order. version "": finish what is under way, begin nothing."""

    run: str
    version: str
    hosts: tuple[str, ...]
    round: int = 1
    rounds: int = 1


@frozen
class NodePhase(Event):
    """A node of a rollout has got to a phase (upgrade coordinator). slot, version: as last seen there; "": not yet."""

    host: str
    phase: str
    slot: str = ""
    version: str = ""
    note: str = ""


@frozen
class StoreHealth(Event):
    """How the etcd cluster answered during a rollout. leader "": none known."""

    voters: int
    healthy: int
    leader: str = ""


@frozen
class NodeFinished(Event):
    """A node's end in a rollout. state: the coordinator's word for it; ok: nothing is left to be done there."""

    host: str
    state: str
    ok: bool
    slot: str = ""
    version: str = ""
    why: str = ""


@frozen
class RunFinished(Event):
    run: str
    exit_code: int
    seconds: float
    states: dict[str, str] = field(default_factory=dict)


Emit = Callable[[Event], None]
