"""What coreops asks of every scheduler, and the words for it. Pure: data, and the protocol that adapters fit.

An adapter speaks to nodes in *talks*: generators that yield a step for the host they run on, or a pause, and receive
the step's record. They do no I/O, know no clock and may be begun again from their start, on the same or on another
host, after any of their steps: whatever they do must be safe to do twice.

Rules that every adapter keeps, and ``tests/schedulers/conformance.py`` shows:

- ``cordon`` remembers in the scheduler itself, in the same write that changes the node, what ``uncordon`` has to undo
  and who asked for it (``Mark.by``). A cordon that somebody else made is not ours: an upgrade leaves it as it was.
- ``drain`` ends only when the *tasks* have stopped, not when the scheduler says that it has planned so. It kills
  nothing beyond what the work's own stop timeout does; how long to wait is the caller's patience, not the adapter's.
- ``uncordon`` for an upgrade undoes only an upgrade's cordon. For an operator it makes the node take work again.
- ``remove`` forgets a node that is gone, and refuses one that still runs or whose loss would cost the quorum.
- A mark with a lower token than one that the scheduler has seen for that node is refused (kind "fenced").
- Secrets (tokens, gossip keys) travel in ``ShellStep.env``, ``stdin`` or ``FileStep.content`` with ``secret``; never in
  a script's text, a title, an argument or a message.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from coreops.errors import HostFailed
from coreops.model import Record, ShellStep
from coreops.store.leaf import Leaf

T = TypeVar("T")
Role = Literal["manager", "worker"]
By = Literal["upgrade", "operator"]
OWN_QUORUM = frozenset({"swarm", "nomad", "k3s"})
"""Schedulers whose managers vote among themselves: most of them must be up, or nothing can be moved."""
SecretKind = Literal["hex", "base64", "uuid"]
"""How random bytes are written: 32 of them; for a uuid, what one holds."""

ENGINE_UNITS: Mapping[str, tuple[str, ...]] = {
    "swarm": ("docker.service", "docker.socket", "containerd.service"),
    "fleet": ("fleet.service", "fleet.socket"),
    "nomad": ("nomad.service",),
    "k3s": ("k3s.service", "k3s-agent.service"),
}
"""The engine's own units: they must run while work is moved."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do but wait ``seconds``. left: what is waited for, in words; told when patience ends.

    error: raised in place of that when patience ends here; ``Elsewhere`` has the talk go on at another host.
    """

    left: tuple[str, ...]
    seconds: float = 0.5
    error: HostFailed | None = None


Talk = Generator[ShellStep | Pause, Record | None, T]
"""A conversation with one host: a Record comes back for each ShellStep, None for a Pause."""


class Fenced(HostFailed):
    """A newer controller has been here."""


class Elsewhere(HostFailed):
    """This host cannot speak for the cluster now (its agent does not run, it has no leader); another one may."""


def ask(step: ShellStep) -> Talk[Record]:
    """One step, and what the host said, also when it failed: ``record = yield from ask(step)``."""
    record = yield step
    if record is None:
        raise TypeError(f"{step.title}: a step was answered like a pause")
    return record


def do(step: ShellStep) -> Talk[Record]:
    """One step that must work. Raises HostFailed with the host's words (not those of a secret step); whoever runs the
    talk adds the host.
    """
    record = yield from ask(step)
    if record.state in ("failed", "unknown"):
        said = [] if step.secret else record.stderr.decode("utf-8", errors="backslashreplace").strip().splitlines()
        raise HostFailed(f"could not {step.title}", why=said[-1] if said else f"exit {record.rc}")
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host as the inventory wants it. address: where other nodes reach it. settings: its variables of this
    scheduler (``swarm_...``), rendered. labels: ``node_labels``, and ``zone`` when it has one.
    """

    name: str
    address: str
    role: Role
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    arch: str = "amd64"
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The wanted cluster: all hosts that take part, in inventory order, and where a host's variable was written (for
    errors). store: the client URLs of the inventory's etcd members, () when it has none. store_wants: for each of them,
    the version that is pinned ("" when that cannot be told) and its flags (``ETCD_...``).
    """

    scheduler: str
    hosts: tuple[Host, ...]
    store: tuple[str, ...] = ()
    store_wants: tuple[tuple[str, Mapping[str, str]], ...] = ()
    origin: Callable[[str, str], object] = lambda host, variable: None

    @property
    def managers(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.role == "manager")

    def host(self, name: str) -> Host:
        """Raises KeyError."""
        return {host.name: host for host in self.hosts}[name]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.hosts)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A program that hosts need: looked up in the artifact lock file. version: "" is the one that is pinned. oldest:
    that can be used, as numbers.
    """

    name: str
    arch: str = "amd64"
    version: str = ""
    oldest: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look at one host found; adapters add to it. cluster: the id of the cluster it is in, "" for none."""

    host: str
    version: str = ""
    cluster: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One thing to do now; then all hosts are looked at again.

    play: tags of the scheduler's playbook to run on ``on``, before the talks. talks: host -> what to say there, all
    hosts at the same time. Neither: wait for what ``title`` says.
    """

    title: str
    play: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    talks: Mapping[str, Callable[[], Talk[None]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The cluster is as wanted. strays: nodes that it has and the inventory has not."""

    strays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Who cordons or uncordons. token: of the upgrade's lease (fencing); 0 for an operator, who is not fenced."""

    by: By
    token: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node as the scheduler knows it. name: its own word for it. host: the inventory's, "" for a stray. machine:
    which one it is, of several with one name: its machine-id, or the scheduler's id for it; "" when that is not told.

    state: ready, down, or the scheduler's own word. cordoned: by whom; "other" for somebody else's. running: tasks
    that run on it, None when that was not asked.
    """

    name: str
    host: str = ""
    machine: str = ""
    role: Role = "worker"
    state: str = "ready"
    cordoned: Literal["", "upgrade", "operator", "other"] = ""
    drained: bool = False
    leader: bool = False
    version: str = ""
    running: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One task where it runs. service: what it belongs to. state: the scheduler's own word."""

    service: str
    task: str
    host: str
    state: str


class Scheduler(Protocol):
    """One cluster of one kind, wanted by an inventory. Each talk runs on one of the hosts that its docstring names."""

    @property
    def cluster(self) -> Cluster:
        """As the inventory wants it."""
        ...

    # Coming into being: `coreops bootstrap`

    def artifacts(self) -> Mapping[str, Artifact]:
        """Host -> what it needs of the lock file; {} when the image brings it."""
        ...

    def playbook(self) -> str:
        """The name of the playbook that installs it, "" when there is nothing to install."""
        ...

    def secrets(self) -> Mapping[str, SecretKind]:
        """What is made once and kept beside the inventory, in ``pki/NAME`` (mode 0600): a gossip key, a token."""
        ...

    def certificates(self) -> Sequence[Leaf]:
        """What the inventory's own CA has to sign for it; kept in ``pki/`` as the store's are."""
        ...

    def variables(self, archives: Mapping[str, str], pki: str) -> Mapping[str, Any]:
        """What that playbook sees. archives: host -> the path of its artifact here, HOST/NAME -> of what is ``carried``
        besides. pki: the folder of secrets.
        """
        ...

    def look(self, host: str) -> Talk[Seen]:
        """How is it? Runs on the host itself."""
        ...

    def decide(self, seen: Mapping[str, Seen]) -> Move | Settled:
        """What to do next, for what was seen of all hosts. Raises RefusedError before anything is half done.

        With --limit, workers outside it are missing in ``seen``: they are left as they are, and are no strays.
        """
        ...

    def rotate(self) -> Talk[tuple[str, ...]]:
        """Make new secrets, where the engine can; say which. Runs on one of ``managers``."""
        ...

    # Living: `coreops upgrade`, `drain`, `uncordon`, `nodes`, `heal`

    def where(self, host: str) -> tuple[str, ...]:
        """On which hosts talks about ``host`` may run, the best first."""
        ...

    def nodes(self) -> Talk[tuple[Node, ...]]:
        """All nodes the scheduler knows. Runs on one of ``managers`` (for units: of all hosts; see the adapter)."""
        ...

    def workloads(self) -> Talk[tuple[Workload, ...]]:
        """All tasks that run or should. Runs where ``nodes`` does."""
        ...

    def cordon(self, host: str, mark: Mark) -> Talk[None]:
        """No new work may come to the host; what runs stays. Runs on one of ``where``, as all below.

        The host of all these may be a stray: a node that the inventory does not have, by the node's name.
        """
        ...

    def drain(self, host: str, mark: Mark) -> Talk[None]:
        """Send the work away; pauses until it has stopped. After ``cordon``."""
        ...

    def drained(self, host: str) -> Talk[tuple[str, ...]]:
        """What still runs there; () when nothing does."""
        ...

    def uncordon(self, host: str, mark: Mark) -> Talk[None]:
        """Undo (see the rules above); pauses until the node is ready for work. Nothing to undo is success."""
        ...

    def remove(self, host: str) -> Talk[None]:
        """Forget a host (or a stray, by its node's name) that is gone."""
        ...


@runtime_checkable
class Carries(Protocol):
    """A scheduler whose nodes may need more of the lock file than its program."""

    def carried(self) -> Mapping[str, Artifact]:
        """Host -> that."""
        ...


@runtime_checkable
class Renews(Protocol):
    """A scheduler that follows the files of its ``secrets``: rotation makes them anew, ``decide`` changes over."""

    def renewable(self) -> tuple[str, ...]:
        """The names of those."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """A scheduler that still needs a secret that was made anew: what it was is kept in ``pki/NAME.before``."""

    def remembered(self) -> tuple[str, ...]:
        """The names of those."""
        ...


@runtime_checkable
class Issues(Protocol):
    """A scheduler whose engine draws a secret itself: rotation has it draw a new one beside the old one, which is kept
    in ``pki/NAME`` and installed on all hosts; ``decide`` then takes away what nobody uses any more.
    """

    def issued(self) -> tuple[str, ...]:
        """The names of those."""
        ...

    def issue(self, name: str) -> Talk[bytes]:
        """A new one, of which it was seen that it works: what its file is to hold. Runs on one of ``managers``."""
        ...


@runtime_checkable
class Fixes(Protocol):
    """A scheduler that has a secret which cannot be made anew."""

    def fixed(self) -> Mapping[str, str]:
        """The names of those, and why."""
        ...


@runtime_checkable
class Warns(Protocol):
    """A scheduler that has something to tell of what was seen, and goes on."""

    def warnings(self, seen: Mapping[str, Seen]) -> tuple[str, ...]:
        """Each a line."""
        ...


@runtime_checkable
class Expels(Protocol):
    """A scheduler that can forget a node that still runs: its agent cannot come back by itself."""

    def expel(self, host: str) -> Talk[None]:
        """Forget a host (or a stray) that was drained, running or not; refuses one on which tasks are left, or whose
        loss would cost the quorum. Runs on one of ``where``.
        """
        ...


def runs_on(scheduler: Scheduler) -> Sequence[str]:
    """The hosts that questions about the whole cluster may go to."""
    return tuple(host.name for host in scheduler.cluster.managers) or scheduler.cluster.names
