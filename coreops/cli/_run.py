"""What run, exec and bootstrap share: from an inventory to an engine with connections, events and a journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreops.frozen import frozen

if TYPE_CHECKING:
    from coreops.engine.engine import Engine, HostOutcome
    from coreops.engine.journal import Journal
    from coreops.events import Emit
    from coreops.inventory import Inventory
    from coreops.model import Position


@frozen
class Reach:
    """How the command line says hosts are reached, where the inventory says nothing."""

    user: str | None = None
    key: Path | None = None
    transport: str = "paramiko"
    accept_new: bool = False
    ask_become_pass: bool = False
    forks: int | None = None
    become: Mapping[str, bool] = field(default_factory=dict)


@dataclass(slots=True)
class Running:
    """An open run. ``states``: the last state of each host, for RunFinished."""

    engine: Engine
    exit_code: int = 0
    states: dict[str, str] = field(default_factory=dict)

    def ended(self, hosts: Mapping[str, HostOutcome], exit_code: int) -> None:
        """Note how a drive ended."""
        self.exit_code = exit_code
        self.states.update({host: outcome.state for host, outcome in hosts.items()})


@contextmanager
def running(
    command: str,
    inventory: Inventory,
    hosts: tuple[str, ...],
    reach: Reach,
    emit: Emit,
    journal: Journal,
    *,
    check: bool,
) -> Iterator[Running]:
    """Open an engine over ``hosts`` with Ctrl-C handling; announce the run and its end."""
    from coreops.engine.engine import Engine
    from coreops.engine.interrupt import Interrupts
    from coreops.events import RunFinished, RunStarted
    from coreops.inventory import target

    password = _ask_password() if reach.ask_become_pass else None
    targets = {
        host: target(
            inventory,
            host,
            user=reach.user,
            identity_files=[reach.key] if reach.key else [],
            transport=_transport(reach.transport),
            accept_new=reach.accept_new,
            become=reach.become.get(host, False),
            become_password=password,
            render=renderer(inventory, host),
        )
        for host in hosts
    }
    began = time.monotonic()
    emit(RunStarted(journal.id, command, hosts, check))
    state: Running | None = None
    try:
        with (
            Engine(targets, emit, run=journal.id, forks=reach.forks, journal=journal) as engine,
            Interrupts(engine, emit),
        ):
            state = Running(engine)
            yield state
    finally:
        code, states = (state.exit_code, state.states) if state else (1, {})
        emit(RunFinished(journal.id, code, time.monotonic() - began, dict(states)))


def renderer(inventory: Inventory, host: str) -> Callable[[str, Position], Any]:
    """Templates connection variables; jinja2 is imported only when one needs it."""

    def render(text: str, position: Position) -> Any:
        from coreops.playbook.rendering import host_renderer

        return host_renderer(inventory, host)(text, position)

    return render


def note_resume(journal: Journal, exit_code: int) -> str | None:
    """The line that tells how to go on with an interrupted or failed run."""
    return f"to go on from here: coreops run --resume --run {journal.id}" if exit_code else None


def fingerprint(*parts: Any) -> str:
    """Hash what a run read, to tell on resume that it has changed."""
    import hashlib
    import json

    return hashlib.sha256(json.dumps(parts, default=repr, sort_keys=True).encode()).hexdigest()


def _ask_password() -> str:
    from getpass import getpass

    return getpass("sudo password on the hosts: ")


def _transport(name: str) -> Any:
    from coreops.errors import InputError, did_you_mean

    known = ("paramiko", "openssh", "local")
    if name not in known:
        hint = did_you_mean(name, known) or f"use one of: {', '.join(known)}"
        raise InputError(f"unknown transport {name!r}", where="--transport", next=hint)
    return name
