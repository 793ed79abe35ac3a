"""Talks with fleet's HTTP API, over the socket on any node where fleetd runs. Knows the wire; no rules of scheduling.

A fleetd that does not answer, or cannot reach etcd, is ``Elsewhere``: another node's may. Every change is one request
that may be sent again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from coreops.errors import HostFailed
from coreops.model import Blob, ShellStep
from coreops.schedulers.fleet import wire
from coreops.schedulers.fleet.wire import Desired, Machine, Option, State, Unit
from coreops.schedulers.protocol import Elsewhere, Pause, Talk, ask

T = TypeVar("T")
SOCKET = "/var/run/fleet.sock"
TRIES = 5


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    @property
    def message(self) -> str:
        """fleet's own words for an error."""
        try:
            return str(json.loads(self.body)["error"]["message"]) or f"status {self.status}"
        except (ValueError, KeyError, TypeError):
            return f"status {self.status}"


@dataclass(frozen=True, slots=True)
class Everything:
    """Machines, units and states, asked for together."""

    machines: tuple[Machine, ...]
    units: tuple[Unit, ...]
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Api:
    """socket: where fleetd listens on the node."""

    socket: str = SOCKET

    def everything(self) -> Talk[Everything]:
        """One exchange, unless there are more than a page of something."""
        found = yield from self._collect({"machines": "machines", "units": "units", "state": "states"})
        return Everything(
            _read(found["machines"], wire.machine), _read(found["units"], wire.unit), _read(found["state"], wire.state)
        )

    def machines(self) -> Talk[tuple[Machine, ...]]:
        """All machines whose fleetd is alive."""
        found = yield from self._collect({"machines": "machines"})
        return _read(found["machines"], wire.machine)

    def units(self) -> Talk[tuple[Unit, ...]]:
        """All units that were submitted, and where the engine has put them."""
        found = yield from self._collect({"units": "units"})
        return _read(found["units"], wire.unit)

    def unit(self, name: str) -> Talk[Unit | None]:
        """One unit; None when there is none of that name."""
        (answer,) = yield from self._request("GET", (f"units/{_name(name)}",), f"look at {name}", (200, 404))
        return None if answer.status == 404 else _read([_json(answer)], wire.unit)[0]

    def states(self, machine: str = "", unit: str = "") -> Talk[tuple[State, ...]]:
        """What the machines' systemds say; of one machine (by its id), of one unit, or of all."""
        asked = [
            f"{key}={quote(value, safe='')}" for key, value in (("machineID", machine), ("unitName", unit)) if value
        ]
        resource = "state" + ("?" + "&".join(asked) if asked else "")
        found = yield from self._collect({resource: "states"})
        return _read(found[resource], wire.state)

    def put_unit(self, name: str, options: Sequence[Option], desired: Desired) -> Talk[bool]:
        """Submit a unit, or replace it when its options are others, and say what it shall be. True: it was changed.

        fleet before 0.13 ignores new options of a unit it has: there it is destroyed and submitted anew.
        """
        wanted = tuple(options)
        known = yield from self.unit(name)
        if known is not None and known.options == wanted:
            return (yield from self._desire(known, desired))
        body = wire.unit_body(name, wanted, desired)
        (answer,) = yield from self._request("PUT", (f"units/{_name(name)}",), f"submit {name}", (201, 204), body)
        if answer.status == 201:
            return True
        yield from self.delete_unit(name)
        yield from self._request("PUT", (f"units/{_name(name)}",), f"submit {name}", (201,), body)
        return True

    def set_desired(self, name: str, desired: Desired) -> Talk[bool]:
        """Say what a unit shall be. True: it was something else. Raises HostFailed when there is no such unit."""
        known = yield from self.unit(name)
        if known is None:
            raise HostFailed(f"fleet has no unit {name}", next="submit it first")
        return (yield from self._desire(known, desired))

    def delete_unit(self, name: str) -> Talk[bool]:
        """Destroy a unit: it is stopped and forgotten. False: there was none."""
        resource = f"units/{_name(name)}"
        (answer,) = yield from self._request("DELETE", (resource,), f"destroy {name}", (204, 404))
        return answer.status == 204

    def patch_metadata(self, machine: str, changes: Mapping[str, str | None]) -> Talk[None]:
        """Change a machine's dynamic metadata; None removes a key. Only fleet 1.0 can."""
        body = wire.patch_body(machine, changes)
        yield from self._request("PATCH", ("machines",), f"change the metadata of machine {machine}", (204,), body)

    def _desire(self, known: Unit, desired: Desired) -> Talk[bool]:
        if known.desired == desired:
            return False
        body = wire.unit_body(known.name, (), desired)
        resource = f"units/{_name(known.name)}"
        yield from self._request("PUT", (resource,), f"have {known.name} {desired}", (204,), body)
        return True

    def _collect(self, wanted: Mapping[str, str]) -> Talk[dict[str, list[Any]]]:
        """All pages of collections. wanted: resource -> the key of its items."""
        found: dict[str, list[Any]] = {resource: [] for resource in wanted}
        todo = {resource: resource for resource in wanted}
        while todo:
            answers = yield from self._request("GET", tuple(todo.values()), "ask fleet", (200,))
            further: dict[str, str] = {}
            for resource, answer in zip(todo, answers, strict=True):
                page = _json(answer)
                found[resource] += page.get(wanted[resource]) or []
                if token := page.get("nextPageToken"):
                    joint = "&" if "?" in resource else "?"
                    further[resource] = f"{resource}{joint}nextPageToken={quote(str(token), safe='')}"
            todo = further
        return found

    def _request(
        self, method: str, resources: Sequence[str], title: str, good: Sequence[int], body: bytes | None = None
    ) -> Talk[tuple[Answer, ...]]:
        """The answers, one a resource. What fleet has no words for (5xx) is asked again a few times."""
        env = {
            "SOCKET": self.socket,
            "METHOD": method,
            "RESOURCES": "\n".join(resources),
        }
        script = _script()
        step = ShellStep(
            id="fleet",
            title=title,
            probe=script if body is None and method == "GET" else None,
            act=None if body is None and method == "GET" else script,
            env=env,
            blobs=() if body is None else (Blob.of(body),),
            changes=method != "GET",
            timeout=120.0,
        )
        for left in reversed(range(TRIES)):
            record = yield from ask(step)
            said = record.stderr.decode("utf-8", errors="backslashreplace").strip()
            if record.state in ("failed", "unknown"):
                raise Elsewhere(f"could not {title}", why=f"fleetd does not answer: {said or f'exit {record.rc}'}")
            if record.truncated:
                raise HostFailed(f"could not {title}", why="the answer is too long", next="lower fleet_token_limit")
            answers = _answers(record.stdout)
            bad = next((each for each in answers if each.status not in good), None)
            if bad is None and len(answers) == len(resources):
                return answers
            if bad is None:
                raise Elsewhere(f"could not {title}", why="fleetd's answer was cut off")
            if bad.status < 500:
                raise HostFailed(f"could not {title}", why=f"fleet says: {bad.message}")
            if left:
                yield Pause((f"fleetd to {title} (it says: {bad.message})",), 1.0)
        raise Elsewhere(f"could not {title}", why=f"fleet says: {bad.message if bad else 'nothing'}")


@cache
def _script() -> str:
    return Path(__file__).with_name("api.sh").read_text(encoding="utf-8")


def _answers(raw: bytes) -> tuple[Answer, ...]:
    parts = raw.split(b"\x1e")
    pairs = zip(parts[0:-1:2], parts[1::2], strict=False)
    return tuple(Answer(int(status) if status.isdigit() else 0, body) for body, status in pairs)


def _json(answer: Answer) -> dict[str, Any]:
    try:
        page = json.loads(answer.body)
    except ValueError as error:
        raise Elsewhere("fleetd's answer is no JSON", why=str(error)) from error
    if not isinstance(page, dict):
        raise Elsewhere("fleetd's answer is not what it should be", why=f"found {type(page).__name__}")
    return page


def _read(items: Sequence[Any], how: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    try:
        return tuple(how(each) for each in items)
    except (ValueError, TypeError, AttributeError) as error:
        raise HostFailed("fleet's answer could not be read", why=str(error)) from error


def _name(unit: str) -> str:
    return quote(unit, safe=":@._-")
