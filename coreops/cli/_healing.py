"""What ``heal`` is made of: eyes, acts, the ledger's leases and the journal, put together from an inventory."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coreops.engine.journal import Journal
    from coreops.healing.decide import Act, Forget, Plan, Rejoin
    from coreops.healing.loop import Healer
    from coreops.healing.seen import Seen
    from coreops.inventory import Inventory
    from coreops.registration.settings import Wanted as Registered
    from coreops.schedulers.hands import Hands
    from coreops.schedulers.protocol import Node
    from coreops.schedulers.settings import Wanted as Scheduled
    from coreops.store.wanted import Wanted as Store
    from coreops.upgrade.ledger.book import Book

REASON = "heal"
_RENEW = 20.0
_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """``90s``, ``10m``, ``2h``. Raises InputError."""
    from coreops.errors import InputError

    found = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    if not found or not int(found[1]):
        raise InputError(f"--after {text!r} is no time", next="write it like 90s, 10m or 2h")
    return float(int(found[1]) * _UNITS[found[2]])


@contextmanager
def opened(
    source: Path,
    connection: dict[str, Any],
    show: Callable[[Plan], None],
    approve: Callable[[Plan], bool],
    *,
    playbook: Path | None = None,
    as_json: bool = False,
) -> Iterator[Healer]:
    """A healer over connections of its own. Raises InputError before any host is asked."""
    from coreops.cli._scheduler import say
    from coreops.errors import InputError
    from coreops.healing.act import Acts
    from coreops.healing.look import Eyes
    from coreops.healing.loop import Healer
    from coreops.inventory import load_inventory
    from coreops.registration import settings as registration
    from coreops.registration.readers import Registry
    from coreops.schedulers import settings as schedulers
    from coreops.store import wanted
    from coreops.upgrade.cluster.asking import Asking
    from coreops.upgrade.ledger.connect import open_ledger
    from coreops.upgrade.ledger.holder import Holder

    inventory = load_inventory(source)
    registered = registration.read(inventory, connection)
    if registered is None:
        raise InputError(
            "there is nothing to heal",
            where=source,
            why="the inventory has no group store, and what heal knows stands in the store",
            next="put the hosts that run etcd into a group store, then coreops bootstrap",
        )
    known = {**connection, "identity_files": [Path(each) for each in connection["identity_files"]]}
    store, scheduled = wanted.read(inventory, source, known), schedulers.read(inventory, connection)
    run = f"{REASON}-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        asking = Asking({host: registered.targets[host] for host in store.names}, run=run)
        stack.callback(asking.close)
        endpoints = [member.client_url for member in store.members]
        book = open_ledger(inventory, Holder.here(run), asking.one, asking.each)
        leases = Leases(book, run, list(inventory.hosts))
        clerk = Clerk(source)
        stack.callback(clerk.close)
        hands = stack.enter_context(_hands(scheduled, run))
        store_playbook = playbook or wanted.default_playbook()
        wiring = Wiring(
            source, inventory, connection, store, registered, scheduled, hands, clerk, store_playbook, as_json
        )
        eyes = Eyes(
            store,
            registered.targets,
            Registry(asking.one, endpoints),
            leases.held,
            wiring.agents,
            say,
            run=f"{run}-look",
        )
        stack.callback(eyes.close)
        acts = Acts.of(asking.one, endpoints, wiring.rejoin, wiring.forget, leases.taken)

        def act(what: Act) -> None:
            clerk.note(what)
            acts(what)

        def look() -> Seen:
            wiring.seen = eyes.look()
            return wiring.seen

        yield Healer(look, act, show, approve, say)


class Clerk:
    """Keeps the journal, which begins with the first act."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._journal: Journal | None = None

    @property
    def journal(self) -> Journal:
        from coreops.engine.journal import Journal, RunInfo

        if self._journal is None:
            self._journal = Journal.start(RunInfo(REASON, {"inventory": str(self._source)}, ""))
        return self._journal

    def note(self, act: Act) -> None:
        self.journal.note(act=str(act))

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()


class Leases:
    """Who has which node in hand; and ours, while an act is under way."""

    def __init__(self, book: Book, run: str, hosts: Sequence[str]) -> None:
        self._book = book
        self._run = run
        self._hosts = hosts
        self._dead: frozenset[str] = frozenset()

    def held(self) -> Mapping[str, str]:
        """Holders by node. What a heal held that died is nobody's. A rollout has all of its inventory in hand."""
        from coreops.upgrade.ledger.protocol import describe
        from coreops.upgrade.protocol import ROLLOUT

        held = [lease for lease in self._book.held() if lease.run != self._run]
        dead = {lease.run for lease in held if lease.reason == REASON and not lease.alive}
        self._dead = frozenset(dead)
        by_node = {lease.node: describe(lease) for lease in held if lease.run not in dead}
        found = {host: by_node.get(host) or by_node.get(ROLLOUT) for host in self._hosts}
        return {host: who for host, who in found.items() if who}

    @contextmanager
    def taken(self, hosts: Sequence[str]) -> Iterator[None]:
        """Hold the leases of these hosts. Raises Busy."""
        done = threading.Event()
        taken: list[str] = []
        renewing = threading.Thread(target=self._renew, args=(done,), daemon=True)
        try:
            for host in hosts:
                self._book.acquire(host, reason=REASON, takes_over=self._dead)
                taken.append(host)
            renewing.start()
            yield
        finally:
            done.set()
            if renewing.ident is not None:
                renewing.join(timeout=30)
            for host in taken:
                self._book.release(host)
            self._book.close()

    def _renew(self, done: threading.Event) -> None:
        from coreops.errors import CoreopsError

        while not done.wait(_RENEW):
            try:
                self._book.renew()
            except CoreopsError:
                continue  # the next one may get through; silence alone frees nothing


class Wiring:
    """What an act needs of bootstrap and of the scheduler."""

    def __init__(
        self,
        source: Path,
        inventory: Inventory,
        connection: dict[str, Any],
        store: Store,
        registered: Registered,
        scheduled: Scheduled | None,
        hands: Hands | None,
        clerk: Clerk,
        playbook: Path,
        as_json: bool,
    ) -> None:
        self._source, self._inventory, self._connection = source, inventory, connection
        self._store, self._registered = store, registered
        self._scheduled, self._hands = scheduled, hands
        self._clerk = clerk
        self._playbook, self._as_json = playbook, as_json
        self.seen: Seen | None = None

    def agents(self) -> tuple[str, tuple[Node, ...]]:
        """The scheduler's name and nodes."""
        from coreops.schedulers.protocol import runs_on

        if self._scheduled is None or self._hands is None:
            return "", ()
        scheduler, name = self._scheduled.scheduler, self._scheduled.name
        title = f"list the nodes of {name}"
        return name, self._hands.talk(runs_on(scheduler), scheduler.nodes, patience=30.0, title=title)

    def forget(self, act: Forget) -> None:
        """Remove a node from the scheduler."""
        from coreops.schedulers.protocol import runs_on

        if self._scheduled is None or self._hands is None:
            return
        scheduler = self._scheduled.scheduler
        hosts = [host for host in runs_on(scheduler) if host != act.host] or list(runs_on(scheduler))
        self._hands.talk(hosts, lambda: scheduler.remove(act.host or act.name), patience=120.0, title=str(act))

    def rejoin(self, act: Rejoin) -> None:
        """Bootstrap the store without those that do not answer, and register the hosts that do."""
        from coreops.engine.interrupt import Interrupts
        from coreops.registration import phase
        from coreops.report import choose, compose
        from coreops.store.bootstrap import bootstrap
        from coreops.store.run import Options

        hosts = set(act.hosts)
        if self.seen and not act.without:  # all members are known, so all nodes can be told where they are
            hosts |= {machine.host for machine in self.seen.machines if machine.answers}
        nodes = tuple(node for node in self._registered.nodes if node.wanted and node.host in hosts)
        mine = replace(self._registered, nodes=nodes)
        journal = self._clerk.journal
        with compose(choose(json=self._as_json, verbose=0, junit=None, run_dir=journal.path, diffs=False)) as emit:
            bootstrap(
                Options(
                    inventory=self._source,
                    playbook=self._playbook,
                    run=f"{journal.id}-{secrets.token_hex(2)}",
                    journal=journal,
                    connection=self._connection,
                    loaded=self._inventory,
                    beside={node.host: mine.targets[node.host] for node in nodes},
                    leaves=mine.leaves,
                    without=frozenset(act.without),
                ),
                emit,
                around=lambda engine: Interrupts(engine, emit),
                more=phase.phases(mine),
            )


@contextmanager
def _hands(scheduled: Scheduled | None, run: str) -> Iterator[Hands | None]:
    from coreops.cli._scheduler import notices
    from coreops.schedulers.hands import Hands

    if scheduled is None:
        yield None
        return
    hands = Hands.over(scheduled.targets, notices, run=f"{run}-scheduler")
    try:
        yield hands
    finally:
        hands.close()
