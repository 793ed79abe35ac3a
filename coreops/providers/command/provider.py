"""The provider that a program of the operator's makes: verbs to requests, answers to machines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from coreops.errors import InputError
from coreops.providers import planning
from coreops.providers.command import wire
from coreops.providers.command.program import Program, failed
from coreops.providers.protocol import Action, Change, Machine, Power, Wanted
from coreops.providers.registry import Opening

TIMEOUT: Final = 600.0
_VERBS: Final[Mapping[Action, tuple[str, ...]]] = {
    "create": ("create",),
    "start": ("create",),
    "replace": ("destroy", "create"),
    "keep": (),
    "remove": ("destroy",),
}


@dataclass(frozen=True, slots=True)
class Command:
    """One cluster's machines, made by one program."""

    program: Program
    cluster: str
    name: str = "command"

    def plan(self, wanted: Sequence[Wanted], found: Sequence[Machine]) -> tuple[Change, ...]:
        return planning.plan(wanted, found, wire.facts, self._calls)

    def create(self, wanted: Wanted) -> Machine:
        answer = self._ask("create", wire.create(wanted), wanted.node)
        return wire.one_machine(answer, wanted, self.program.name)

    def observe(self, cluster: str) -> tuple[Machine, ...]:
        return wire.our_machines(self._ask("observe", wire.request("observe", cluster)), cluster, self.program.name)

    def host_keys(self, machine: Machine) -> tuple[str, ...]:
        return wire.host_keys(self._about("host_keys", machine), self.program.name)

    def console(self, machine: Machine) -> Iterator[bytes]:
        return self.program.stream("console", wire.about("console", self.cluster, machine), machine.node)

    def power(self, machine: Machine, power: Power) -> None:
        self._about("power", machine, power=power)

    def destroy(self, machine: Machine) -> None:
        self._about("destroy", machine)

    def _about(self, verb: str, machine: Machine, **parts: Any) -> Mapping[str, Any]:
        return self._ask(verb, wire.about(verb, self.cluster, machine, **parts), machine.node)

    def _ask(self, verb: str, request: bytes, node: str = "") -> Mapping[str, Any]:
        data, status, stderr = self.program.ask(verb, request, node)
        if status and not data.strip():
            raise failed(self.program.name, verb, status, stderr, node)
        try:
            answer = wire.answer(data, self.program.name, verb)
        except wire.Misunderstood:
            if status:
                raise failed(self.program.name, verb, status, stderr, node) from None
            raise
        if status:
            raise failed(self.program.name, verb, status, stderr or "it answered as if all were well", node)
        return answer

    def _calls(self, action: Action, node: str, wanted: Wanted | None, machine: Machine | None) -> tuple[str, ...]:
        shown = [self.program.name, "", node]
        if machine is not None:
            shown.append(f"id={machine.id}")
        told = wire.settings(wanted) if wanted else {}
        more = [f"{name}={wire.text(value)}" for name, value in told.items()]
        if wanted:
            more.append(f"user_data={len(wanted.user_data)} bytes")
        return tuple(
            " ".join([shown[0], verb, *shown[2:], *(more if verb == "create" else ())]) for verb in _VERBS[action]
        )


def connect(opening: Opening) -> Command:
    """Find the program. Raises InputError."""
    told = {name: value for each in opening.settings.values() for name, value in each.items()}
    named = told.get("command_program")
    if not isinstance(named, str) or not named:
        raise InputError(
            "`provider: command` needs a program",
            where=opening.where,
            why="command_program is not set"
            if named is None
            else f"command_program is {json.dumps(named, default=str)}",
            next="set command_program to its path; a relative one belongs to the inventory's folder",
        )
    path = (opening.base / os.path.expanduser(named)).absolute()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise InputError(
            "the provider's program is not there" if not path.is_file() else "the provider's program is not executable",
            where=opening.where,
            why=str(path),
            next="correct command_program" if not path.is_file() else f"chmod +x {path}",
        )
    return Command(
        Program(path, _timeout(told.get("command_timeout", TIMEOUT), opening), opening.emit),
        opening.cluster,
    )


def _timeout(value: object, opening: Opening) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 86400:
        return float(value)
    raise InputError(f"command_timeout is {value!r}", where=opening.where, next="write seconds, e.g. 600")
