"""``coreops units``: systemd units with [X-Fleet], on whatever scheduler the inventory has. Flags and wiring only."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.schedulers.hands import Hands
    from coreops.schedulers.protocol import Talk
    from coreops.units.backends.protocol import Backend
    from coreops.units.convert.convert import Converted
    from coreops.units.loading import Loaded
    from coreops.units.rows import Row

T = TypeVar("T")
app = typer.Typer(add_completion=False, no_args_is_help=True)
Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Unit files; web@1..3.service: instances of web@.service.")
]
Names = Annotated[list[str], typer.Argument(metavar="UNIT...", help="Names of units; web@1..3 for several.")]
Machine = Annotated[
    list[str] | None, typer.Option("--machine", metavar="ID=HOST", help="When converting: which host a MachineID is.")
]
AllowLoss = Annotated[
    bool, typer.Option("--allow-loss", help="When converting: go on without keys that have no equivalent.")
]
Wait = Annotated[str, typer.Option("--patience", metavar="TIME", help="How long nodes may take to do it.")]


@dataclass(frozen=True)
class _Way:
    """How hosts are reached, and how long things may take: options of all commands that ask nodes."""

    inventory: options.Inventory = None
    patience: Wait = "3m"
    user: options.User = None
    key: options.Key = None
    transport: options.Transport = "paramiko"
    accept_new: options.AcceptNew = False
    ask_become_pass: options.AskBecomePass = False

    def seconds(self) -> float:
        from coreops.errors import InputError
        from coreops.upgrade.planning.readers import patience

        try:
            return patience(self.patience)
        except ValueError as error:
            raise InputError("--patience is not usable", why=str(error)) from error


def _reaching(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options of ``_Way``; it gets them as its first argument."""
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    ways = inspect.signature(_Way, eval_str=True).parameters

    @functools.wraps(command)
    def run(**values: Any) -> int:
        return command(_Way(**{name: values.pop(name) for name in ways}), **values)

    keyword = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *ways.values())]
    run.__signature__ = inspect.Signature(keyword, return_annotation=int)  # type: ignore[attr-defined]
    return run


@app.command(
    "convert",
    epilog="\b\nExamples:\n  coreops units convert web@1..3.service --to swarm\n"
    "  coreops units convert *.service --to nomad --machine 2a4b6c8d=n1 --allow-loss",
)
def convert(
    files: Files,
    target: Annotated[str, typer.Option("--to", "-t", metavar="TARGET", help="swarm or nomad.")],
    machine: Machine = None,
    allow_loss: AllowLoss = False,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object a line, on stderr.")] = False,
) -> int:
    """Turn units into services of Docker Swarm or jobs of Nomad, and say what becomes of each key.

    A list of what their HTTP APIs take (POST /services/create, PUT /v1/jobs) goes to stdout, the report to stderr:
    `lost` (exit code 2 without --allow-loss), `note` (not needed there, or works otherwise), and the traps that units
    with containers fall into.
    """
    import json

    from coreops.units import loading

    done = _converted(loading.load(files), target, machine, allow_loss, as_json)
    typer.echo(json.dumps(done.documents, indent=2, ensure_ascii=False))
    return 0


def _converted(
    units: Sequence[Loaded],
    target: str,
    machine: list[str] | None,
    allow_loss: bool,
    as_json: bool,
    *,
    apart: bool = False,
) -> Converted:
    """Convert, and report on stderr. Raises InputError when something is lost that must not be."""
    from coreops.errors import InputError, counted
    from coreops.units.convert.convert import convert as run

    machines = {}
    for word in machine or []:
        id, equals, host = word.partition("=")
        if not id or not equals or not host:
            raise InputError(f"--machine {word!r:.60} is not ID=HOST", next="like --machine 2a4b6c8d=n1")
        machines[id] = host
    done = run(units, target, machines, apart=apart)
    for trap in done.traps:
        _tell(as_json, str(trap), kind="trap", rule=trap.rule, at=str(trap.at), what=trap.what, why=trap.why)
    for note in done.notes:
        _tell(as_json, str(note), kind="note", key=note.key, at=str(note.at), why=note.text)
    for lost in done.losses:
        _tell(as_json, str(lost), kind="lost", key=lost.key, at=str(lost.at), why=lost.why, instead=lost.instead)
    if done.losses and not allow_loss:
        raise InputError(
            f"{counted(len(done.losses), 'key')} would be lost on the way to {target}",
            why="they are listed above as lost",
            next="change the units, or accept the loss with --allow-loss",
        )
    return done


def _tell(as_json: bool, text: str, **data: str) -> None:
    import json

    from coreops.report.text import clean

    typer.echo(json.dumps(data) if as_json else "\n".join(map(clean, text.splitlines())), err=True)


@app.command("submit", epilog="\b\nExamples:\n  coreops units submit web@1..3.service -i inventories/lab")
@_reaching
def submit(
    way: _Way,
    files: Files,
    machine: Machine = None,
    allow_loss: AllowLoss = False,
    as_json: options.Json = False,
) -> int:
    """Give units to the cluster, without starting them. One that is there already gets its new file.

    When one of them could be placed nowhere it is refused (exit 4), with the nodes that were closest, and nothing is
    written.
    """
    from coreops.units import loading

    loaded = loading.load(files)
    with _opened(way) as cluster:
        backend = cluster.backend(loaded, machine, allow_loss)
        cluster.hold(lambda: backend.submit(loaded), "submit units")
        rows = cluster.settled(backend, [unit.name.full for unit in loaded])
    return _show(rows, as_json)


@app.command("start", epilog="\b\nExamples:\n  coreops units start web@1..3.service -i inventories/lab")
@_reaching
def start(
    way: _Way,
    files: Files,
    machine: Machine = None,
    allow_loss: AllowLoss = False,
    as_json: options.Json = False,
) -> int:
    """Run units. What is a file here is submitted first; a name without a file was submitted before.

    When one of them could be placed nowhere it is refused (exit 4), with the nodes that were closest, and nothing is
    written.
    """
    from coreops.units import loading

    there = [path for path in files if _is_file(path)]
    loaded = loading.load(there)
    names = loading.named([str(path) for path in files if path not in there])
    with _opened(way) as cluster:
        backend = cluster.backend(loaded, machine, allow_loss)
        cluster.hold(lambda: backend.start(loaded, names), "start units")
        rows = cluster.settled(backend, [*(unit.name.full for unit in loaded), *names])
    return _show(rows, as_json)


@app.command("stop")
@_reaching
def stop(
    way: _Way,
    units: Names,
    as_json: options.Json = False,
) -> int:
    """Stop units; the cluster keeps them, to be started again."""
    from coreops.units import loading

    names = loading.named(units)
    with _opened(way) as cluster:
        backend = cluster.backend()
        cluster.hold(lambda: backend.stop(names), "stop units")
        rows = cluster.settled(backend, names)
    return _show(rows, as_json)


@app.command("status")
@_reaching
def status(
    way: _Way,
    units: Annotated[list[str] | None, typer.Argument(metavar="[UNIT...]", help="Only these.")] = None,
    as_json: options.Json = False,
) -> int:
    """Show every unit: what it shall be, where it is, what its node says; and why one is nowhere."""
    from coreops.errors import InputError, did_you_mean
    from coreops.report.text import clean
    from coreops.units import loading

    names = loading.named(units or [])
    with _opened(way) as cluster:
        found = cluster.hold(cluster.backend().status, "ask for the units")
    known = {row.name for row in found.rows}
    for name in names:
        if name not in known:
            raise InputError(f"no unit {name} was submitted", next=did_you_mean(name, known))
    for name, why in found.unplaced.items():
        if not names or name in names:
            typer.echo(clean(f"coreops: {why}"), err=True)
    return _show([row for row in found.rows if not names or row.name in names], as_json)


@app.command("destroy")
@_reaching
def destroy(
    way: _Way,
    units: Names,
) -> int:
    """Stop units and forget them; nothing of them stays on a node."""
    from coreops.units import loading

    names = loading.named(units)
    with _opened(way) as cluster:
        backend = cluster.backend()
        cluster.hold(lambda: backend.destroy(names), "wait until the units are gone")
    return 0


@dataclass(frozen=True)
class _Cluster:
    """A scheduler, and somebody to ask."""

    scheduler: Any
    name: str
    hands: Hands
    patience: float
    source: Path

    def hold(self, make: Callable[[], Talk[T]], title: str) -> T:
        """Hold a talk about the whole cluster. What is refused is no matter of the host that happened to be asked."""
        from coreops.errors import InputError, RefusedError
        from coreops.schedulers.protocol import runs_on

        hosts = runs_on(self.scheduler)
        try:
            return self.hands.talk(hosts, make, patience=self.patience, title=title)
        except (InputError, RefusedError) as error:
            error.where = None if error.where in hosts else error.where
            raise

    def settled(self, backend: Backend, names: Sequence[str]) -> tuple[Row, ...]:
        """Wait until all is done; what came of it."""
        from coreops.units.backends.protocol import settled

        return self.hold(lambda: settled(backend, names), "wait for the nodes")

    def backend(
        self, units: Sequence[Loaded] = (), machine: list[str] | None = None, allow_loss: bool = False
    ) -> Backend:
        """The verbs, on this scheduler. Raises InputError where it takes no units, or not these."""
        from coreops.errors import InputError

        if self.name == "units":
            from coreops.units.backends.own import Own

            return Own(self.scheduler)
        if self.name == "fleet":
            from coreops.units.backends.fleet import Fleet

            return Fleet(self.scheduler)
        if self.name == "swarm":
            from coreops.units.backends.swarm import Swarm

            documents = _converted(units, "swarm", machine, allow_loss, False).documents if units else ()
            return Swarm(documents, lossy=allow_loss)
        if self.name == "nomad":
            from coreops.units.backends.nomad import Nomad

            documents = _converted(units, "nomad", machine, allow_loss, False, apart=True).documents if units else ()
            return Nomad(self.scheduler, documents)
        raise InputError(
            f"units are not handed to {self.name} by coreops",
            where=self.source,
            next="use `scheduler: units`, swarm, nomad or fleet",
        )


@contextmanager
def _opened(way: _Way) -> Iterator[_Cluster]:
    """Raises InputError before any host is asked. Ctrl-C ends talks, cleanly."""
    import secrets

    from coreops.cli import _fleet
    from coreops.cli._scheduler import notices
    from coreops.engine.interrupt import Interrupts
    from coreops.inventory import load_inventory
    from coreops.schedulers import settings
    from coreops.schedulers.hands import Hands

    seconds = way.seconds()
    path = _fleet.source(way.inventory)
    connection = _fleet.connection(way.user, way.key, way.transport, way.accept_new, way.ask_become_pass)
    wanted = settings.need(load_inventory(path), connection, path)
    hands = Hands.over(wanted.targets, notices, run=f"units-{secrets.token_hex(4)}")
    try:
        with Interrupts(hands.engine, notices):
            yield _Cluster(wanted.scheduler, wanted.name, hands, seconds, path)
    finally:
        hands.close()


def _is_file(path: Path) -> bool:
    """Is there a file for this unit, or for its template?"""
    from coreops.units import names

    for each in names.expand(path.name, path):
        template = names.read(each, path).template
        if path.with_name(each).exists() or (template and path.with_name(template).exists()):
            return True
    return "/" in str(path)


def _show(rows: tuple[Row, ...] | list[Row], as_json: bool) -> int:
    """A table, or one object a line. 1 when a unit failed."""
    import json
    from dataclasses import asdict

    from coreops.report.text import clean

    if as_json:
        for row in rows:
            print(json.dumps(asdict(row)))
    elif rows:
        table = [("UNIT", "WANTED", "HOST", "STATE"), *((r.name, r.desired, r.host or "-", r.state) for r in rows)]
        widths = [max(len(line[i]) for line in table) for i in range(3)]
        for line in table:
            cells = [f"{cell:<{width}}" for cell, width in zip(line, widths, strict=False)]
            print(clean("  ".join((*cells, line[3])).rstrip()))
    return 1 if any(row.bad for row in rows) else 0
