"""What an operator asks of a scheduler: show the nodes, take work away from some of them, let it come back.

An operator's cordon is also a file on the node, so that an upgrade, and whoever looks there, knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coreops.errors import CoreopsError, RefusedError
from coreops.model import ShellStep
from coreops.schedulers import listing
from coreops.schedulers.hands import Hands
from coreops.schedulers.protocol import Mark, Node, Scheduler, Talk, do, runs_on
from coreops.schedulers.settings import Wanted

MARK = Mark(by="operator")
_QUICK = 60.0

_CLOSE = """\
[ -s "$FILE" ] || echo new
mkdir -p "${FILE%/*}" && printf '%s\\n' "$REASON" >"$FILE.new" && sync "$FILE.new" && mv "$FILE.new" "$FILE"
"""
_IS_CLOSED = '[ -s "$FILE" ] || exit 1; [ -n "$KEEP" ] || [ "$(head -n 1 "$FILE")" = "$REASON" ] || exit 1\n'


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one host ended. state: drained, cordoned (but not drained), open, or unchanged. error: what went wrong."""

    host: str
    state: str
    error: CoreopsError | None = None


class Operator:
    """The operator's wishes over one cluster. file: the node's word that it is cordoned. tell: gets what is under way,
    as it happens.
    """

    def __init__(self, wanted: Wanted, hands: Hands, file: str, tell: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._hands = hands
        self._file = file
        self._tell = tell

    @property
    def _scheduler(self) -> Scheduler:
        return self._wanted.scheduler

    def nodes(self) -> tuple[Node, ...]:
        """All nodes, each with the number of its tasks."""
        scheduler = self._scheduler

        def both() -> Talk[tuple[Node, ...]]:
            nodes = yield from scheduler.nodes()
            if all(node.running is not None for node in nodes):
                return nodes
            return listing.counted(nodes, (yield from scheduler.workloads()))

        title = f"list the nodes of {self._wanted.name}"
        return self._hands.talk(runs_on(scheduler), both, patience=_QUICK, title=title)

    def strays(self) -> tuple[str, ...]:
        """The nodes that the inventory does not have, by their own names."""
        return tuple(node.name for node in self.nodes() if node.host not in self._wanted.cluster.names)

    def drain(
        self, hosts: Sequence[str], patience: float, *, reason: str, given: bool, force: bool = False
    ) -> tuple[Outcome, ...]:
        """Cordon all of them, then move their work away. given: somebody wrote the reason; without it, one that stands
        on the node already stays. Raises RefusedError when no node would be left, unless ``force``.
        """
        if not force:
            self._check_rest(hosts)
        cordoned, found = self._cordon(hosts, reason, given)
        drained = self._hands.talks(
            {host: self._scheduler.where(host) for host in cordoned},
            lambda host: self._drain(host),
            patience=patience,
            title="drain {}",
        )
        for host, ended in drained.items():
            error = ended if isinstance(ended, CoreopsError) else None
            found[host] = Outcome(host, "cordoned" if error else "drained", error)
        return tuple(found[host] for host in hosts)

    def uncordon(self, hosts: Sequence[str], patience: float) -> tuple[Outcome, ...]:
        """Let work come back; the file goes last, so that who was interrupted is still seen as cordoned."""
        scheduler = self._scheduler
        found: dict[str, Outcome] = {}
        ended = self._hands.talks(
            {host: scheduler.where(host) for host in hosts},
            lambda host: scheduler.uncordon(host, MARK),
            patience=patience,
            title="uncordon {}",
        )
        for host, each in ended.items():
            if isinstance(each, CoreopsError):
                found[host] = Outcome(host, "unchanged", each)
        good = [host for host in hosts if host not in found]
        forgotten = self._hands.talks(
            {host: (host,) for host in good}, lambda host: self._forget(), title="uncordon {}"
        )
        for host, each in forgotten.items():
            error = each if isinstance(each, CoreopsError) else None
            found[host] = Outcome(host, "cordoned" if error else "open", error)
        return tuple(found[host] for host in hosts)

    def _check_rest(self, hosts: Sequence[str]) -> None:
        nodes = self.nodes()
        now = listing.open_nodes(nodes)
        if set(now) & set(hosts) and not set(now) - set(hosts):
            raise RefusedError(
                f"no node of {self._wanted.name} would take work any more",
                where=", ".join(hosts),
                why=f"of {len(nodes)} nodes, only {', '.join(now)} take work now",
                next="uncordon another node first, or pass --force",
            )

    def _cordon(self, hosts: Sequence[str], reason: str, given: bool) -> tuple[list[str], dict[str, Outcome]]:
        """The file on each node first; a node that cannot be reached is cordoned all the same."""
        on = self._reached(hosts)
        written = self._hands.talks(on, lambda host: self._remember(reason, given), title="cordon {}")
        for host, told in written.items():
            if isinstance(told, CoreopsError):
                self._tell(f"{host}: it could not be told that it is cordoned: {told.what}")
        found: dict[str, Outcome] = {}
        ended = self._hands.talks(
            {host: self._scheduler.where(host) for host in hosts},
            lambda host: self._scheduler.cordon(host, MARK),
            patience=_QUICK,
            title="cordon {}",
        )
        for host, each in ended.items():
            if isinstance(each, CoreopsError):
                found[host] = Outcome(host, "unchanged", each)
        self._take_back([host for host in found if written.get(host) is True])
        cordoned = [host for host in hosts if host not in found]
        if cordoned:
            self._tell(f"{', '.join(cordoned)}: no new work; now what runs there is moved")
        return cordoned, found

    def _take_back(self, hosts: Sequence[str]) -> None:
        """The file, from those that were open before, and still are."""
        ended = self._hands.talks({host: (host,) for host in hosts}, lambda host: self._forget(), title="uncordon {}")
        for host, each in ended.items():
            if isinstance(each, CoreopsError):
                self._tell(f"{host}: it takes itself to be cordoned, until coreops uncordon: {each.what}")

    def _reached(self, hosts: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Those that keep the file: a stray is only known to the scheduler."""
        return {host: (host,) for host in hosts if host in self._wanted.targets}

    def _drain(self, host: str) -> Talk[None]:
        yield from self._scheduler.drain(host, MARK)
        self._tell(f"{host}: drained")

    def _remember(self, reason: str, given: bool) -> Talk[bool]:
        """Returns whether it had no such file before."""
        env = {"FILE": self._file, "REASON": reason, "KEEP": "" if given else "yes"}
        title = "write that the node is cordoned"
        step = ShellStep(id="cordoned", title=title, probe=_IS_CLOSED, act=_CLOSE, env=env, timeout=_QUICK)
        return (yield from do(step)).stdout.strip() == b"new"

    def _forget(self) -> Talk[None]:
        yield from do(
            ShellStep(
                id="uncordoned",
                title="take back that the node is cordoned",
                probe='[ ! -e "$FILE" ]',
                act='rm -f "$FILE"',
                env={"FILE": self._file},
                timeout=_QUICK,
            )
        )
