"""From a request to the end of its rollout, as ``upgrade``, ``rollback``, ``resume`` and ``abort`` share it: read,
look, show the plan, ask, carry out. Wiring only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from coreops.engine.journal import Journal
    from coreops.events import Emit
    from coreops.upgrade.cluster.nodes import Nodes
    from coreops.upgrade.cluster.scheduling import Scheduling
    from coreops.upgrade.cluster.watch import StoreWatch
    from coreops.upgrade.ledger.book import Book
    from coreops.upgrade.planning.prepare import Prepared, Wishes
    from coreops.upgrade.planning.request import Request
    from coreops.upgrade.running.conduct import Signals
    from coreops.upgrade.running.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How it is shown and asked. password: for sudo; never written down."""

    dry_run: bool = False
    yes: bool = False
    as_json: bool = False
    html: Path | None = None
    password: str | None = None


def launch(request: Request, manner: Manner, *, stranger: str = "") -> int:
    """Do it; return the exit code. Raises InputError, RefusedError before anything is touched.

    stranger: a run of another machine, of which there must be a trace.
    """
    from coreops.engine.journal import Journal, RunInfo
    from coreops.report.rollout import choose_rollout
    from coreops.upgrade.planning import prepare
    from coreops.upgrade.planning.plan_text import is_idle
    from coreops.upgrade.running.conduct import Signals

    _must_be_able_to_ask(manner)
    if manner.html is not None and not manner.dry_run:
        _must_be_writable(manner.html)
    with choose_rollout(json=manner.as_json, html=None if manner.dry_run else manner.html) as emit:
        wishes = prepare.read(_with_password(request, manner), emit)
        journal = None if manner.dry_run else Journal.start(RunInfo(request.kind, request.written(), ""))
        run = journal.id if journal else "dry-run"
        with _opened(wishes, run, emit) as (nodes, ledger, watch):
            prepared = _prepared(wishes, run, nodes, ledger)
            if stranger:
                _must_be_known(stranger, prepared, ledger)
            _show(prepared, manner)
            if manner.dry_run or journal is None:
                return 0
            if is_idle(prepared) and not request.takes_over:  # a dead run may have left its leases
                return 0
            if not manner.yes and not typer.confirm("Go on?", err=True):
                raise typer.Abort
            with watch, _scheduling(wishes, run) as scheduling, Signals() as signals:
                return _conduct(prepared, journal, nodes, ledger, scheduling, emit, signals)


@contextmanager
def _scheduling(wishes: Wishes, run: str) -> Iterator[Scheduling | None]:
    """The scheduler's hands, over connections of their own: a node asks managers while it waits for itself."""
    if wishes.scheduler is None:
        yield None
        return
    from dataclasses import replace

    from coreops.schedulers.hands import Hands
    from coreops.upgrade.cluster.asking import TIMEOUT
    from coreops.upgrade.cluster.scheduling import Scheduling

    targets = wishes.scheduler.targets.items()
    quick = {host: replace(each, connect_timeout=min(TIMEOUT, each.connect_timeout)) for host, each in targets}
    hands = Hands.over(quick, lambda event: None, run=run)
    try:
        yield Scheduling(wishes.scheduler.scheduler, hands)
    finally:
        hands.close()


def _conduct(
    prepared: Prepared,
    journal: Journal,
    nodes: Nodes,
    ledger: Book,
    scheduling: Scheduling | None,
    emit: Emit,
    signals: Signals,
) -> int:
    from coreops.errors import CoreopsError, ExitCode
    from coreops.events import RunFinished, RunStarted
    from coreops.upgrade.running.conduct import Conduct, fetch
    from coreops.upgrade.running.runs import Log

    images = fetch(prepared, emit)
    log = Log(journal.path)
    began, code = time.monotonic(), int(ExitCode.FAILED)
    emit(RunStarted(journal.id, prepared.wishes.request.kind, prepared.wishes.fleet.chosen))
    try:
        conduct = Conduct(
            prepared=prepared, nodes=nodes, ledger=ledger, log=log, emit=emit, images=images, scheduling=scheduling
        )
        code = conduct.run(signals)
    except CoreopsError as error:
        code = int(error.exit_code)
        raise
    finally:
        emit(RunFinished(journal.id, code, time.monotonic() - began))
        log.close()
        journal.close()
    return code


def _prepared(wishes: Wishes, run: str, nodes: Nodes, ledger: Book) -> Prepared:
    from coreops.upgrade.cluster.lanes import beside
    from coreops.upgrade.cluster.looks import look_at_all
    from coreops.upgrade.planning import prepare
    from coreops.upgrade.slots.usr import driver

    denials = beside(ledger.denied)
    looks = look_at_all(nodes, driver(), wishes.fleet.chosen, tuple(wishes.fleet.members.values()))
    denied = {denial.version: denial.reason for denial in denials()}
    return prepare.plan(wishes, run, looks, denied)


@contextmanager
def _opened(wishes: Wishes, run: str, emit: Emit) -> Iterator[tuple[Nodes, Book, StoreWatch]]:
    from coreops.errors import CoreopsError
    from coreops.events import Notice
    from coreops.upgrade.cluster.asking import Asking
    from coreops.upgrade.cluster.nodes import Nodes
    from coreops.upgrade.cluster.watch import StoreWatch
    from coreops.upgrade.ledger.connect import ledger_hosts, open_ledger
    from coreops.upgrade.ledger.holder import Holder

    fleet = wishes.fleet
    nodes = Nodes(fleet.targets, emit, run=run, limit_rate=wishes.request.limit_rate)
    asking = Asking({host: fleet.targets[host] for host in ledger_hosts(fleet.inventory)}, run=run)
    patience = wishes.settings.policy.patience
    ledger = open_ledger(fleet.inventory, Holder.here(run), asking.one, asking.each, patience)
    try:
        yield nodes, ledger, StoreWatch(asking.one, tuple(fleet.members.values()), emit, answer=patience.answer)
    finally:
        try:
            ledger.close()
        except CoreopsError as error:  # then the sign of life ends by itself, a minute later
            emit(Notice(f"the ledger could not be told that this run is over: {error.what}"))
        asking.close()
        nodes.close()


def _show(prepared: Prepared, manner: Manner) -> None:
    from coreops.cli._fleet import as_json
    from coreops.report.text import clean
    from coreops.upgrade.planning.plan_text import estimate, is_idle, lines, turns, untouched

    if manner.as_json:
        plan = {"turns": turns(prepared), "untouched": untouched(prepared), "seconds": estimate(prepared)}
        typer.echo(as_json("plan", plan))
        return
    for line in lines(prepared, time.time()):
        typer.echo(clean(line))
    if is_idle(prepared):
        typer.echo("nothing to do")


def _must_be_known(run: str, prepared: Prepared, ledger: Book) -> None:
    from coreops.errors import InputError

    known = {lease.run for lease in ledger.held()}
    known |= {one.ticket.run for one in prepared.seen.values() if one.ticket}
    if run not in known:
        left = f"runs that have left something: {', '.join(sorted(known))}" if known else "no run has left anything"
        raise InputError(f"nobody knows a run {run!r}", why=left, next="coreops locks list; or coreops upgrade, anew")


def _must_be_able_to_ask(manner: Manner) -> None:
    from coreops.errors import InputError

    if not (manner.dry_run or manner.yes or sys.stdin.isatty()):
        raise InputError(
            "nobody is there to say yes", why="stdin is not a terminal", next="pass --yes, or look with --dry-run"
        )


def _must_be_writable(html: Path) -> None:
    """Found out now rather than when all is done."""
    import os

    from coreops.errors import InputError

    if html.is_dir() or not os.access(html if html.exists() else html.parent, os.W_OK):
        why = "it is a folder" if html.is_dir() else None if html.parent.is_dir() else "its folder does not exist"
        raise InputError("the report cannot be written there", where=html, why=why, next="pass another --report FILE")


def _with_password(request: Request, manner: Manner) -> Request:
    from dataclasses import replace

    return replace(request, connection={**request.connection, "become_password": manner.password})


def named(version: str) -> str:
    """A version that was given. Raises InputError."""
    from coreops.upgrade.version import parse

    parse(version)
    return version


def rate(text: str | None) -> int | None:
    """Bytes a second, of a number with K, M or G behind it. Raises InputError."""
    import re

    from coreops.errors import InputError

    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,9})([KMG]?)", text.upper(), re.ASCII)
    if found is None or not int(found[1]):
        raise InputError(f"{text!r} is not a rate", where="--limit-rate", next="write bytes a second, e.g. 500K or 10M")
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]]


def launch_again(run: str | None, manner: Manner, ask_become_pass: bool, *, start_none: bool = False) -> int:
    """Go on with a rollout that ended too early, as it was asked for. Raises InputError while it lives."""
    from dataclasses import replace

    from coreops.cli._run import _ask_password
    from coreops.errors import InputError
    from coreops.upgrade.planning.request import Request
    from coreops.upgrade.running.runs import find

    found = find(run)
    if found.alive:
        raise InputError(
            f"run {found.id} is still at it", next="coreops why NODE says what it does, coreops abort ends it"
        )
    written = found.request
    if not written:
        raise InputError(f"run {found.id} had not begun", where=found.folder, next="run the same command again")
    request = Request.read(written)
    if found.ended and not start_none:
        typer.echo(f"run {found.id} came to its end; looking whether something is left to do", err=True)
    request = replace(request, takes_over=(*request.takes_over, found.id), start_none=start_none)
    return launch(request, replace(manner, password=_ask_password() if ask_become_pass else None))


def take_over(run: str, inventory: Path, manner: Manner, ask_become_pass: bool) -> int:
    """Go on with a run of which only the ledger knows. Refused by the ledger while that run gives signs of life."""
    from dataclasses import replace

    from coreops.cli._run import _ask_password
    from coreops.upgrade.planning.request import Request

    request = Request(inventory=str(inventory), takes_over=(run,))
    return launch(request, replace(manner, password=_ask_password() if ask_become_pass else None), stranger=run)


def ask_to_stop(run: Run) -> int:
    """Ask the living process to end, and wait until it has. Return its exit code as its log has it."""
    from coreops.errors import ExitCode

    run.ask_to_stop()
    typer.echo(f"asked run {run.id} to end; waiting until nothing is under way (Ctrl-C: do not wait)", err=True)
    while run.alive:
        time.sleep(0.2)
    ends = [entry["end"] for entry in run.lines() if "end" in entry]
    if not ends:
        typer.echo(f"run {run.id} ended without a last word: coreops abort again finishes what it left")
        return ExitCode.FAILED
    for node, state in ends[-1]["outcomes"].items():
        typer.echo(f"{node}  {state}")
    return ExitCode.DONE if ends[-1]["finished"] else ExitCode.FAILED
