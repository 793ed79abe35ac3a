"""The phases of ``coreops bootstrap`` for a scheduler: ``of``, in order, is what it does after the store's.

Keeps no state: what the nodes show decides, so an interrupted run is repeated. What to do is the adapter's to decide.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreops.errors import HostFailed, InterruptedRun, RefusedError, counted
from coreops.events import Notice, Progress
from coreops.schedulers import kept
from coreops.schedulers.hands import Hands, bound, good
from coreops.schedulers.install import Install
from coreops.schedulers.protocol import (
    Expels,
    Fixes,
    Issues,
    Mark,
    Move,
    Node,
    Pause,
    Scheduler,
    Settled,
    Talk,
    Warns,
    runs_on,
)
from coreops.store import artifact
from coreops.store.nodes import Counter
from coreops.store.phases import Phase
from coreops.store.run import Run

if TYPE_CHECKING:
    from coreops.playbook import BoundPlay

Stack = contextlib.ExitStack
INSTALL = ("install",)
_EVERY = 1.0
_OPERATOR = Mark(by="operator")


def of(install: Install) -> tuple[Phase, ...]:
    """The phases of one run."""
    steps, name = Steps(install), install.name
    found = [
        Phase(f"Look at {name}", steps.look, always=True),
        Phase(f"Install {name}", steps.place, always=True, idle=lambda: install.settled),
        Phase(f"Join {name}", steps.join, always=True, idle=lambda: install.settled),
        Phase(f"Verify {name}", steps.verify, always=True, idle=lambda: steps.checking),
    ]
    if install.locked:
        found.insert(0, Phase(f"Fetch {name}", steps.fetch, always=True))
    if install.rotate:
        found.append(Phase(f"Rotate the secrets of {name}", steps.rotate, always=True, idle=lambda: steps.checking))
    return tuple(found)


@dataclass(slots=True)
class Steps:
    """The work of the phases, and what it carries from one to the next."""

    install: Install
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    checking: bool = False
    living: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    _hands: Hands | None = None

    @property
    def scheduler(self) -> Scheduler:
        return self.install.wanted.scheduler

    def fetch(self, run: Run, stack: Stack) -> str:
        """Have what is pinned, checked, on this machine."""
        mirror = artifact.mirror(run.inventory, self.install.wanted.cluster.names)
        paths: dict[str, str] = {}
        for host, locked in self.install.locked.items():
            if locked.sha256 not in paths:
                title = f"{locked.name} {locked.version} {locked.arch}"

                def tell(done: int, total: int, title: str = title) -> None:
                    run.emit(Progress("controller", title, done, total))

                paths[locked.sha256] = str(artifact.archive(locked, tell=tell, mirror=mirror))
            self.install.archives[host] = paths[locked.sha256]
        versions = sorted({f"{locked.name} {locked.version}" for locked in self.install.locked.values()})
        return f"{', '.join(versions)}, SHA-256 as pinned"

    def look(self, run: Run, stack: Stack) -> str:
        """See every node, and what the playbook would change there; refuse before anything is touched."""
        install, options = self.install, run.options
        self._check_limit(run)
        self.checking = options.check
        self.extra = self._variables(run, stack)
        counter = Counter(run.emit if options.check else None)
        plays: tuple[BoundPlay, ...] = ()
        if install.playbook:
            plays = bound(
                install.playbook, run.inventory, INSTALL, self._hosts(run), self.extra, counter,
                check=True, diff=options.diff,
            )  # fmt: skip
        seen, failed = self.hands(run).audit(
            self._looked(run), self.scheduler.look, plays, patience=install.patience, title=f"look at {install.name}"
        )
        step = self.scheduler.decide(seen)
        for text in self.scheduler.warnings(seen) if isinstance(self.scheduler, Warns) else ():
            run.emit(Notice(f"{install.name}: {text}"))
        if isinstance(step, Settled):
            self._find_living(run, step.strays)
        install.pending = counter.changed
        install.seen = seen
        if isinstance(step, Settled):
            install.strays = step.strays
            prune = options.prune and install.strays
            told = options.check and install.rotate
            if not (install.pending or failed or install.secrets.pending or prune or told):
                install.settled = True
                return f"{counted(len(seen), 'node')}, as wanted: nothing to change"
        if options.check:
            install.settled = True
            would = [f"a new secret: {name}" for name in install.secrets.made]
            would += [f"{host}: {counted(n, 'task')} of the playbook" for host, n in install.pending.items()]
            would += [f"{host}: {why}" for host, why in failed.items() if host not in install.pending]
            would += [step.title] if isinstance(step, Move) else []
            would += [f"remove {name}" for name in install.strays if options.prune and name not in self.living]
            would += [f"drain {name}, which still runs, and remove it" for name in self.living]
            would += ["make new tokens, where it can"] if install.rotate else []
            would += [f"have {install.name} make a new {name}" for name in install.issued]
            self._changed(run, *would)
            for host, number in install.pending.items():
                run.nodes.changed[host] = run.nodes.changed.get(host, 0) + number
            return "would change: " + "; ".join(would)
        return (
            f"{counted(len(seen), 'node')} answered, {sum(bool(each.cluster) for each in seen.values())} in a cluster"
        )

    def place(self, run: Run, stack: Stack) -> str:
        """Put everything in place. What runs is not touched: that is a matter of ``join``."""
        install = self.install
        kept.save(install.secrets)
        self._changed(run, *(f"a new secret: {name}" for name in install.secrets.made))
        if not install.playbook:
            return "there is nothing to install"
        self.extra = {**self.extra, **self.scheduler.variables(install.archives, str(install.secrets.root))}
        changed = self.hands(run).play(install.playbook, run.inventory, INSTALL, self._hosts(run), self.extra)
        self._changed(run, *(f"{host}: {counted(n, 'task')} of the playbook" for host, n in changed.items() if n))
        return f"changed {', '.join(changed)}" if changed else "everything was in place"

    def join(self, run: Run, stack: Stack) -> str:
        """One move after the other, as the adapter decides, until the cluster is as wanted; then prune."""
        install, until, moves = self.install, 0.0, 0
        while True:
            install.seen, step = self._decide(run)
            if isinstance(step, Settled):
                break
            if step.play or step.talks:
                until, moves = 0.0, moves + 1
                if moves > 20 + 10 * len(install.seen):
                    raise HostFailed(f"{install.name} does not settle", why=f"the last of {moves} moves: {step.title}")
                self._do(run, step)
                continue
            until = until or self.clock() + install.patience
            if self.clock() > until:
                raise HostFailed(
                    f"{install.name}: {step.title}: not done within {install.patience:g} s",
                    next="look at the scheduler's journal on the nodes; then run the same command again",
                )
            self._wait(run)
        install.strays = step.strays
        self._prune(run)
        return f"{counted(len(install.seen), 'node')}, as wanted"

    def verify(self, run: Run, stack: Stack) -> str:
        """Every host of the inventory is a node that is ready; said by the scheduler itself."""
        install = self.install
        title = f"wait for the nodes of {install.name}"
        install.nodes = self.hands(run).talk(
            runs_on(self.scheduler),
            lambda: ready(self.scheduler, self._looked(run)),
            patience=install.patience,
            title=title,
        )
        run.further["scheduler"] = install.said()
        for name in install.strays:
            run.emit(Notice(f"{install.name} has a node {name} that is not in the inventory; --prune removes it"))
        leader = next((node.host or node.name for node in install.nodes if node.leader), "")
        return f"{counted(len(install.nodes), 'node')} ready" + (f", leader {leader}" if leader else "")

    def rotate(self, run: Run, stack: Stack) -> str:
        """New secrets, where the engine can."""
        install = self.install
        title = f"rotate the secrets of {install.name}"
        told = self.hands(run).talk(
            runs_on(self.scheduler), self.scheduler.rotate, patience=install.patience, title=title
        )
        self._changed(run, *(f"new: {what}" for what in told))
        self._issue(run, stack)
        if isinstance(self.scheduler, Fixes):
            for name, why in self.scheduler.fixed().items():
                run.emit(Notice(f"{install.name}: {name} stays as it is: {why}"))
        install.rotated = (*install.renewed, *install.issued, *told)
        run.further["scheduler"] = install.said()
        return f"new: {', '.join(install.rotated)}" if install.rotated else "there are none that it could make anew"

    def _issue(self, run: Run, stack: Stack) -> None:
        """Secrets that the engine draws. The old one is good until the new one is kept here, and on all hosts."""
        install, scheduler = self.install, self.scheduler
        if not install.issued or not isinstance(scheduler, Issues):
            return
        for name in install.issued:
            make, title = partial(scheduler.issue, name), f"make a new {name}"
            content = self.hands(run).talk(runs_on(scheduler), make, patience=install.patience, title=title)
            install.secrets = kept.replaced(install.secrets, name, content)
            self._changed(run, f"new: {name}")
        self.place(run, stack)
        self.join(run, stack)

    def _check_limit(self, run: Run) -> None:
        outside = [each.name for each in self.install.wanted.cluster.managers if run.only and each.name not in run.only]
        if self.install.issued and outside:
            raise RefusedError(
                f"{', '.join(outside)} must get the new {', '.join(self.install.issued)} but is outside --limit",
                why="it would go on with the old one, which is taken away",
                next="run without --limit, or widen it",
            )

    def hands(self, run: Run) -> Hands:
        """Over the connections that are open; what is counted goes to the run."""
        if self._hands is None:
            self._hands = Hands(run.engine, run.emit, clock=self.clock, sleep=self.sleep)
            self._hands.exchanges, self._hands.ok = run.nodes.exchanges, run.nodes.ok
            self._hands.changed = run.nodes.changed
        return self._hands

    def _decide(self, run: Run) -> tuple[dict[str, Any], Move | Settled]:
        names, title = self._looked(run), f"look at {self.install.name}"
        seen = self.hands(run).every(names, self.scheduler.look, patience=self.install.patience, title=title)
        return seen, self.scheduler.decide(seen)

    def _do(self, run: Run, move: Move) -> None:
        touched = dict.fromkeys((*move.on, *move.talks))
        outside = [host for host in touched if run.only is not None and host not in run.only]
        if outside:
            raise RefusedError(
                f"{', '.join(outside)} must be touched but is outside --limit",
                why=move.title,
                next="run without --limit, or widen it",
            )
        run.emit(Notice(f"{self.install.name}: {move.title}"))
        self._changed(run, move.title)
        hands, playbook = self.hands(run), self.install.playbook
        if move.play and playbook:
            hands.play(playbook, run.inventory, move.play, move.on, self.extra)
        if move.talks:
            on = {host: (host,) for host in move.talks}
            talks = move.talks
            good(hands.talks(on, lambda host: talks[host](), patience=self.install.patience, title=move.title))

    def _prune(self, run: Run) -> None:
        if not run.options.prune:
            return
        hands, scheduler, patience = self.hands(run), self.scheduler, self.install.patience
        self._find_living(run, self.install.strays)
        for name in self.install.strays:
            title = f"remove {name} from {self.install.name}"
            hosts, remove = runs_on(scheduler), partial(scheduler.remove, name)
            if isinstance(scheduler, Expels) and name in self.living:
                self._drain(run, name)
                hosts, remove = scheduler.where(name), partial(scheduler.expel, name)
            hands.talk(hosts, remove, patience=patience, title=title)
            self._changed(run, f"removed {name}, which is not in the inventory")
        self.install.strays = ()

    def _drain(self, run: Run, name: str) -> None:
        """By the scheduler itself: the node's address is in the inventory no more."""
        hands, scheduler, install = self.hands(run), self.scheduler, self.install
        run.emit(Notice(f"{install.name}: {name} still runs: its work is moved, then it is removed"))
        for verb, act in (("cordon", scheduler.cordon), ("drain", scheduler.drain)):
            talk = partial(act, name, _OPERATOR)
            hands.talk(scheduler.where(name), talk, patience=install.patience, title=f"{verb} {name}")
        self._changed(run, f"drained {name}")

    def _find_living(self, run: Run, strays: Sequence[str]) -> None:
        """With --prune, find those that run; refuse, before anything is done to any, what cannot be done to one."""
        if run.options.prune and strays:
            title, patience = f"see whether {', '.join(strays)} still run", self.install.patience
            self.living = self.hands(run).talk(
                runs_on(self.scheduler), lambda: living(self.scheduler, strays), patience=patience, title=title
            )

    def _wait(self, run: Run) -> None:
        until = self.clock() + _EVERY
        while self.clock() < until:
            if run.engine.interrupted:
                raise InterruptedRun("stopped by the operator", next="run the same command again: it continues")
            self.sleep(0.1)

    def _hosts(self, run: Run) -> Sequence[str]:
        return [name for name in self.install.wanted.cluster.names if run.only is None or name in run.only]

    def _looked(self, run: Run) -> Sequence[str]:
        """All hosts; with --limit, workers outside it are not asked, so one that is away keeps nobody from joining."""
        hosts = self.install.wanted.cluster.hosts
        return [each.name for each in hosts if run.only is None or each.name in run.only or each.role == "manager"]

    def _changed(self, run: Run, *what: str) -> None:
        self.install.changes += what
        run.changes += [f"{self.install.name}: {each}" for each in what]

    def _variables(self, run: Run, stack: Stack) -> dict[str, Any]:
        folder = stack.enter_context(_staged(run, self.install))
        return dict(self.scheduler.variables(self.install.archives, str(folder)))


def ready(scheduler: Scheduler, hosts: Sequence[str]) -> Talk[tuple[Node, ...]]:
    """Wait until each of the hosts is a node that is ready."""
    while True:
        nodes = yield from scheduler.nodes()
        state = {node.host: node.state for node in nodes if node.host}
        left = tuple(
            f"{name} ({state[name]})" if name in state else f"{name} (not a node yet)"
            for name in hosts
            if state.get(name) != "ready"
        )
        if not left:
            return nodes
        yield Pause(left, _EVERY)


def living(scheduler: Scheduler, strays: Sequence[str]) -> Talk[tuple[str, ...]]:
    """The nodes that the inventory does not have and that are still there. Raises RefusedError where the scheduler
    cannot forget one, or has nowhere to move its work to.
    """
    nodes = yield from scheduler.nodes()
    found = []
    for name in strays:
        same = [node for node in nodes if node.name == name and not node.host]
        if alive := [node for node in same if node.state == "ready"]:
            found.append(name)
            if isinstance(scheduler, Expels):
                continue
            told = [f"{node.machine or 'its machine'} is {node.state}" for node in (*alive, *same)]
            raise RefusedError(
                f"{name} still runs, and is not in the inventory",
                why="; ".join(dict.fromkeys(told)),
                next="nothing was changed, because its agent would register again: drain it (coreops drain "
                f"{name}), switch it off, and run this again; or put it into the inventory",
            )
    if found and not any(node.host and node.state == "ready" and not node.cordoned for node in nodes):
        raise RefusedError(
            f"the work of {', '.join(found)} has nowhere to go",
            why="no node of the inventory takes work now",
            next="uncordon one first (coreops nodes shows them); nothing was changed",
        )
    return tuple(found)


@contextlib.contextmanager
def _staged(run: Run, install: Install) -> Iterator[Path]:
    """A folder with certificates and secrets: the real one when nothing is missing there, else a private copy."""
    root, secrets = run.pki.root, install.secrets
    missing = [name for name in run.pki.files if not (root / name).exists()]
    if not secrets.pending and not missing:
        yield root
        return
    with tempfile.TemporaryDirectory(prefix="coreops-pki-") as folder:
        for name, data in {**run.pki.files, **secrets.files}.items():
            if name != "ca.key":
                path = Path(folder) / name
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.write_bytes(data)  # in a folder that is the owner's alone
        yield Path(folder)
