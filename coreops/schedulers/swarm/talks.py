"""What is said to engines, whatever for: read and write what a swarm's managers agree on. Pure: makes steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from coreops.errors import HostFailed
from coreops.model import ShellStep
from coreops.schedulers.protocol import Elsewhere, Pause, Talk, do
from coreops.schedulers.swarm import engine
from coreops.schedulers.swarm.engine import Answer, path
from coreops.schedulers.swarm.marks import Spec
from coreops.schedulers.swarm.state import Entry, Task, entry, read_nodes, read_tasks

_RESTART = Path(__file__).with_name("restart.sh")


def restart(verb: str, gap: float = 0.0) -> Talk[None]:
    """verb: start, restart, or revive: a restart in which the engine is off for ``gap`` seconds."""
    title = f"{'restart' if verb == 'revive' else verb} Docker"
    env = {"VERB": verb, "GAP": f"{gap:g}"}
    yield from do(ShellStep(id="swarm-engine", title=title, act=_RESTART.read_text(), env=env, timeout=240.0 + gap))


def leave() -> Talk[None]:
    answer = yield from engine.send("leave the swarm that has forgotten it", "POST", "/swarm/leave?force=true")
    good(answer, "leave the swarm that has forgotten it", "not part of a swarm")


def settle(nodes: Mapping[str, Mapping[str, Any]], spec: Mapping[str, Any] | None) -> Talk[None]:
    for id, change in nodes.items():

        def new(raw: Mapping[str, Any], change: Mapping[str, Any] = change) -> tuple[str, Any] | None:
            now = entry(raw)
            labels = {**now.spec.labels, **change["labels"]}
            kept = {key: value for key, value in labels.items() if value is not None}
            wanted = Spec(now.spec.availability, change["role"] or now.spec.role, kept, now.spec.rest)
            return None if wanted == now.spec else (update(now), wanted.raw())

        yield from rewrite("set a node's labels and role", f"/nodes/{id}", new)
    if spec is not None:
        yield from rewrite(
            "set what holds for the whole swarm",
            "/swarm",
            lambda swarm: (
                None if swarm["Spec"] == spec else (f"/swarm/update?version={swarm['Version']['Index']}", spec)
            ),
        )


def forget(entries: Sequence[Entry]) -> Talk[None]:
    """Take nodes that are gone off the list; managers give up their vote before."""
    for each in entries:
        title = f"forget the node {each.name}"
        if each.role == "manager":

            def demoted(raw: Mapping[str, Any]) -> tuple[str, Any] | None:
                now = entry(raw)
                wanted = Spec(now.spec.availability, "worker", now.spec.labels, now.spec.rest)
                return None if wanted == now.spec else (update(now), wanted.raw())

            yield from rewrite(title, f"/nodes/{each.id}", demoted, missing=True)
        while True:
            answer = yield from engine.send(title, "DELETE", f"/nodes/{each.id}?force=true")
            if answer.good or answer.status == 404:
                break
            if not engine.transient(answer) and "is a cluster manager" not in answer.message:
                raise HostFailed(f"could not {title}", why=answer.message)
            yield Pause((f"{each.name} to give up its vote ({answer.message})",))


def rewrite(
    title: str, where: str, make: Callable[[Mapping[str, Any]], tuple[str, Any] | None], *, missing: bool = False
) -> Talk[None]:
    """Read, and write what ``make`` returns (a path and a body; None: it is so already), until nobody wrote in between.

    missing: it is as well if there is no such thing.
    """
    while True:
        try:
            (found,) = yield from engine.get(title, where, secret=where == "/swarm")
        except Elsewhere:
            raise
        except HostFailed as error:
            if missing and "not found" in (error.why or ""):
                return
            raise
        wanted = make(found.data)
        if wanted is None:
            return
        answer = yield from engine.send(title, "POST", *wanted)
        if answer.good:
            return
        if not engine.transient(answer):
            raise HostFailed(f"could not {title}", why=answer.message)
        yield Pause((f"the swarm to take it ({answer.message})",), 0.1)


def update(now: Entry) -> str:
    return f"/nodes/{now.id}/update?version={now.version}"


def good(answer: Answer, title: str, *also: str) -> None:
    if not answer.good and not any(each in answer.message for each in also):
        raise HostFailed(f"could not {title}", why=answer.message)


def entries() -> Talk[tuple[Entry, ...]]:
    (answer,) = yield from engine.get("ask the swarm for its nodes", "/nodes")
    if answer.cut:
        raise HostFailed("the swarm has more nodes than one answer can hold")
    return read_nodes(answer.data or ())


def tasks(entries: Sequence[Entry]) -> Talk[tuple[Task, ...]]:
    """All tasks; node by node where one answer cannot hold them."""
    title = "ask the swarm for its tasks"
    (answer,) = yield from engine.get(title, "/tasks")
    if not answer.cut:
        return read_tasks(answer.data or ())
    found: list[Task] = []
    for each in entries:
        (answer,) = yield from engine.get(title, path("/tasks", node=[each.id]))
        if answer.cut:
            raise HostFailed("a node has more tasks than one answer can hold", why=each.name)
        found += read_tasks(answer.data or ())
    return tuple(found)


def services() -> Talk[dict[str, str]]:
    (answer,) = yield from engine.get("ask the swarm for its services", "/services")
    return {} if answer.cut else {str(each["ID"]): str(each["Spec"]["Name"]) for each in answer.data or ()}


def left(node: str) -> Talk[list[str]]:
    """What runs on a node, in words."""
    tasks, services = yield from engine.get("ask what runs on a node", path("/tasks", node=[node]), "/services")
    if tasks.cut:
        return ["more tasks than one answer can hold"]
    names = {str(each["ID"]): str(each["Spec"]["Name"]) for each in services.data or ()}
    return [
        f"{names.get(task.service, task.service)}{f'.{task.slot}' if task.slot else ''} ({task.state})"
        for task in read_tasks(tasks.data or ())
        if task.alive
    ]
