"""The phases of ``coreops bootstrap``: ``PHASES``, in order, is what it does. Each says what came of it.

``prepare`` comes before them all and reads; the certificates are made there, but written only by ``install``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from coreops.errors import CoreopsError, InputError, counted
from coreops.events import Emit, Event, HostFinished, Notice, Progress
from coreops.identity import written
from coreops.model import Step
from coreops.store import artifact, etcdctl, members, pki, preflight, quorum, versions, wanted
from coreops.store.cluster import OPERATOR
from coreops.store.converge import describe
from coreops.store.run import Options, Run

Stack = contextlib.ExitStack


@dataclass(frozen=True, slots=True)
class Phase:
    """``always``: also when there is nothing to change. ``idle``: says, when its turn comes, to leave it out."""

    title: str
    work: Callable[[Run, Stack], str]
    always: bool = False
    idle: Callable[[], bool] = lambda: False


def prepare(options: Options, emit: Emit) -> Run:
    """Everything that can be wrong with the input is found here, before anything is opened or written."""
    from coreops.engine.engine import Engine
    from coreops.inventory import load_inventory
    from coreops.playbook import load_playbook
    from coreops.store.nodes import Nodes

    if options.verify:
        _needs_testinfra()
    loaded = (options.loaded or load_inventory(options.inventory)).with_playbook_dir(options.playbook.parent)
    want = wanted.read(loaded, options.inventory, options.connection)
    if options.without:
        want = replace(want, members=tuple(each for each in want.members if each.name not in options.without))
    written.check(loaded)
    only = None
    if options.limit is not None:
        only = frozenset(loaded.match("all", options.limit)) & {*want.names, *options.beside}
        if not only:
            also = " and none of the scheduler" if options.beside else ""
            raise InputError(f"--limit {options.limit} leaves no host of the group {wanted.GROUP}{also}")
    leaves = {leaf.file: leaf for leaf in (OPERATOR, *(member.leaf for member in want.members), *options.leaves)}
    authority = pki.load(loaded.base / "pki", list(leaves.values()))
    playbook = load_playbook(options.playbook)
    targets = {**options.beside, **want.targets}
    engine = Engine(targets, _quiet(emit), run=options.run, forks=options.forks, journal=options.journal)
    return Run(
        options=options,
        emit=emit,
        inventory=loaded,
        wanted=want,
        only=only,
        pki=authority,
        engine=engine,
        nodes=Nodes(engine, playbook, loaded, emit),
    )


def inventory(run: Run, stack: Stack) -> str:
    """What ``prepare`` has read and checked."""
    size = len(run.wanted.members)
    survives = counted(quorum.tolerance(size), "failure")
    return f"{', '.join(run.wanted.names)}: quorum {quorum.quorum(size)}, survives {survives}"


def fetch(run: Run, stack: Stack) -> str:
    """Have the pinned etcd, checked, on this machine."""
    mirror = artifact.mirror(run.inventory, run.wanted.names)
    for locked in run.wanted.artifacts.values():
        if locked.sha256 not in run.archives:
            title = f"etcd {locked.version} {locked.arch}"

            def tell(done: int, total: int, title: str = title) -> None:
                run.emit(Progress("controller", title, done, total))

            run.archives[locked.sha256] = artifact.archive(locked, tell=tell, mirror=mirror)
    if versions.corrupts(run.wanted.version):
        run.emit(
            Notice(
                f"etcd {run.wanted.version} can corrupt data (fixed in 3.5.3): fine for a lab, never for production; "
                "pin another version in artifacts.lock.yml beside the inventory"
            )
        )
    return f"etcd {run.wanted.version}, SHA-256 as pinned"


def look(run: Run, stack: Stack) -> str:
    """See every node, and what the playbook would change on it, in one exchange."""
    folder = stack.enter_context(pki.staged(run.pki))
    firsts = wanted.first_members(run.wanted.members)
    run.extra = wanted.variables(run.wanted, run.archives, folder, run.pki.token, firsts)
    options = run.options
    run.found, run.pending, failed = run.nodes.audit(
        run.wanted.members, run.extra, diff=options.diff, show=options.check
    )
    run.pending = {host: n for host, n in run.pending.items() if host in run.hosts}
    action = run.converger().decide(run.found)
    if not run.pending and not failed and not run.pki.pending and isinstance(action, members.Done):
        run.finished, run.strays = True, action.strays
        return f"{counted(len(run.found), 'healthy member')}, as wanted: nothing to change"
    if options.check:
        problems = _problems(run)
        if problems:
            raise preflight.refusal(problems)
        run.finished = True
        run.nodes.changed = dict(run.pending)
        run.changes += [f"certificates: {why}" for why in run.pki.reasons]
        run.changes += [f"{host}: {n} tasks of the playbook" for host, n in run.pending.items()]
        run.changes += [f"{host}: {why}" for host, why in failed.items()]
        if not isinstance(action, members.Done):
            run.changes.append(describe(action))
        if isinstance(action, members.Done) and run.pending and any(node.active for node in run.found.values()):
            run.changes.append("restart the members that get new settings, one by one, the leader last")
        return "would change: " + "; ".join(run.changes)
    wait = sum(node.active for node in run.found.values())
    return f"{counted(len(run.found), 'node')} answered, etcd runs on {wait}"


def check_nodes(run: Run, stack: Stack) -> str:
    """Refuse before anything is touched."""
    clocks = [(run.found[member.name].clock, member.clock_skew) for member in run.wanted.members]
    if any(clock and clock.uncertainty > limit / 2 for clock, limit in clocks):
        run.found = run.nodes.clocks(run.wanted.members, run.found)  # the connection is open now: this answer is quick
    problems = _problems(run)
    if problems:
        raise preflight.refusal(problems)
    state = members.membership(run.wanted.members, run.found, frozenset())
    fresh = state is None and not any(node.formed for node in run.found.values())
    if fresh and run.only is not None and not run.only >= frozenset(run.wanted.names):
        raise InputError(
            "--limit cannot form a new cluster",
            why="all members of a new cluster start at once",
            next="run without --limit",
        )
    return "no problem on " + ", ".join(run.found)


def install(run: Run, stack: Stack) -> str:
    """Snapshot before a new minor version; then put everything in place. Running members are not touched."""
    running = [node.status.version for node in run.found.values() if node.status and node.status.version]
    if versions.check(running, run.wanted.version):
        run.changes.append(_snapshot(run))
    pki.save(run.pki)
    run.extra["etcd_pki"] = str(run.pki.root)
    run.changes += [f"certificates: {why}" for why in run.pki.reasons]
    run.nodes.play(["install"], run.hosts, run.extra)
    changed = {host: n for host, n in run.nodes.changed.items() if n}
    run.changes += [f"{host}: {n} tasks of the playbook" for host, n in changed.items()]
    return f"changed {', '.join(changed)}" if changed else "everything was in place"


def membership(run: Run, stack: Stack) -> str:
    """Start all members of a new cluster at once; else join, replace, prune and restart one by one."""
    converger = run.converger()
    # Of nodes where etcd never ran, installing it has changed nothing that matters here.
    known = not any(node.active or node.formed or node.data for node in run.found.values())
    run.found, run.strays = converger.run(run.found if known else None)
    run.changes += converger.done
    for entry in run.strays:
        run.emit(Notice(f"member {entry.name or entry.peer_urls[0]} is not in the inventory; --prune removes it"))
    state = members.membership(run.wanted.members, run.found, frozenset())
    names = {entry.id: entry.name for entry in state.entries} if state else {}
    leader = names.get(state.leader or 0, "?") if state else "?"
    return f"{counted(len(names), 'member')}, leader {leader}"


def verify(run: Run, stack: Stack) -> str:
    """A linearizable write through every member's own endpoint; no service without a client certificate."""
    steps: dict[str, list[Step]] = {}
    for member in run.wanted.members:
        url, word = member.client_url, run.nodes.name("verify")
        steps[member.name] = [
            etcdctl.write_read(f"{word}.0", f"coreops/verify/{run.options.run}/{member.name}", word, url),
            etcdctl.without_certificate(f"{word}.1", url),
        ]
    run.nodes.run(steps)
    return "a write through every member; TLS refuses clients without a certificate"


def shipped_tests(run: Run, stack: Stack) -> str:
    """testinfra, over the connections that are open."""
    from coreops.store import suite

    failed = suite.run(run.nodes, run.wanted.members)
    run.verified = failed == 0
    if failed:
        raise CoreopsError(f"{failed} of the shipped tests failed", next="their output is above")
    return "all passed"


PHASES = (
    Phase("Check the inventory", inventory),
    Phase("Fetch etcd", fetch),
    Phase("Look at the nodes", look),
    Phase("Preflight", check_nodes),
    Phase("Install", install),
    Phase("Membership", membership),
    Phase("Verify", verify),
)


TESTS = Phase("Run the shipped tests", shipped_tests, always=True)


def of(options: Options) -> tuple[Phase, ...]:
    """The phases that were asked for."""
    return (*PHASES, TESTS) if options.verify and not options.check else PHASES


def commands(run: Run) -> dict[str, str]:
    """The etcdctl lines to go on with: on a node, and from this machine."""
    urls = ",".join(member.client_url for member in run.wanted.members)
    root = run.pki.root.resolve()
    here = f"etcdctl --cacert {root}/ca.crt --cert {root}/client.crt --key {root}/client.key --endpoints {urls}"
    port = run.wanted.members[0].client_port
    node = "--cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/client.crt --key /etc/etcd/pki/client.key"
    return {
        "node": f"sudo /opt/etcd/current/etcdctl {node} --endpoints https://127.0.0.1:{port} "
        "endpoint status --cluster -w table",
        "here": f"{here} endpoint status -w table",
    }


def _needs_testinfra() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("pytest", "testinfra") if find_spec(name) is None]
    if missing:
        raise InputError("--verify needs pytest and testinfra", next="pip install 'coreops[verify]'")


def _problems(run: Run) -> tuple[preflight.Problem, ...]:
    hosts = run.inventory.hosts
    places = {host: (hosts[host].position, written.claims(run.inventory, host)) for host in run.wanted.names}
    return preflight.problems(run.wanted.members, run.found, run.pki.token, places)


def _snapshot(run: Run) -> str:
    host = next(node.host for node in run.found.values() if node.healthy)
    member = next(m for m in run.wanted.members if m.name == host)
    path = f"{member.data_dir}-snapshots/before-{run.wanted.version}-{run.options.run}.db"
    step = etcdctl.snapshot(run.nodes.name("snapshot"), path, f"https://127.0.0.1:{member.client_port}")
    run.nodes.run({host: [step]})
    text = f"{host}: snapshot in {path}"
    run.emit(Notice(text))
    return text


def _quiet(emit: Emit) -> Emit:
    """Leave out the engine's word that a host is done with one of the many small parts of a bootstrap."""

    def pass_on(event: Event) -> None:
        if not (isinstance(event, HostFinished) and event.state == "done"):
            emit(event)

    return pass_on
