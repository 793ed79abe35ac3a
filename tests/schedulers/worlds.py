"""What a scheduler's conformance suite acts on: a world, and talks that are held with it step by step.

A world is a cluster that is joined and well, as its scheduler's inventory wants it, with nothing running: a fake of the
engine's API, or the engine. What it says of itself, it must not learn through the adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from coreops.errors import CoreopsError
from coreops.model import Record, ShellStep
from coreops.schedulers.protocol import (
    Elsewhere,
    Mark,
    Node,
    Pause,
    Scheduler,
    Talk,
    runs_on,
)

T = TypeVar("T")
UPGRADE = Mark(by="upgrade", token=7)
OPERATOR = Mark(by="operator")


class World(Protocol):
    """A cluster. node: a host that takes work and may be lost without costing a quorum. other: another such host."""

    scheduler: Scheduler
    node: str
    other: str

    def run(self, host: str, step: ShellStep) -> Record:
        """Do a step on a host, as the engine would (``ignore_errors``)."""
        ...

    def tick(self) -> None:
        """Time passes while a talk pauses; work that was told to stop, and may, stops within a few ticks."""
        ...

    def start(self, host: str, stubborn: bool = False) -> str:
        """A task runs on this host now, and could run on others; a word that the adapter's words for it contain.

        stubborn: told to stop, it goes on running until ``let_go``.
        """
        ...

    def let_go(self) -> None:
        """Stubborn tasks stop now if they were told to."""
        ...

    def running(self, host: str) -> int:
        """How many of the tasks that ``start`` made, or others in their place, run there."""
        ...

    def open(self, host: str) -> bool:
        """Would the engine give the host new work?"""
        ...

    def close(self, host: str) -> None:
        """Somebody else cordons the host, with the engine's own means."""
        ...

    def kill(self, host: str) -> None:
        """The host is gone, and the engine has noticed."""
        ...

    def secrets(self) -> Sequence[str]:
        """What must not be seen: the tokens and keys that there are by now."""
        ...


@dataclass(slots=True)
class Ended:
    """What came of a talk. over: it was not abandoned. pauses: what it waited for, each time. moved: after how many
    steps the world had changed, by the last of them or because time went by.
    """

    over: bool
    value: Any = None
    error: CoreopsError | None = None
    steps: int = 0
    pauses: list[tuple[str, ...]] = field(default_factory=list)
    moved: set[int] = field(default_factory=set)


def hold(
    world: World,
    hosts: Sequence[str],
    make: Callable[[], Talk[T]],
    *,
    steps: int = 10_000,
    pauses: int = 200,
    after: Callable[[], None] = lambda: None,
) -> Ended:
    """Hold a talk on the first of ``hosts`` that can; abandon it after so many steps, or when it pauses too often.

    after: called after every step. What travels is looked at for secrets.
    """
    ended = Ended(over=False)
    for host in hosts:
        try:
            talk = make()
        except CoreopsError as error:  # said before anything is asked
            check_words(world, str(error))
            return Ended(over=True, error=error)
        moved = ended.moved
        ended = _hold(world, host, talk, steps, pauses, after)
        ended.moved |= moved
        if not isinstance(ended.error, Elsewhere):
            break
    return ended


def _hold(world: World, host: str, talk: Talk[T], steps: int, pauses: int, after: Callable[[], None]) -> Ended:
    ended, answer = Ended(over=False), None
    assert host in world.scheduler.cluster.names, f"a talk is to be held on {host}"
    try:
        while True:
            said = talk.send(answer)
            if isinstance(said, Pause):
                assert said.left, "a pause does not say what is waited for"
                assert all(isinstance(word, str) and word.strip() for word in said.left)
                assert 0 <= said.seconds <= 30, "who waits longer than that does not look"
                ended.pauses.append(said.left)
                if len(ended.pauses) > pauses:
                    return ended
                world.tick()
                ended.moved.add(ended.steps)
                answer = None
                continue
            if ended.steps == steps:
                return ended
            ended.steps += 1
            answer = world.run(host, said)
            if said.act is not None:
                ended.moved.add(ended.steps)
            check_step(world, said)
            after()
    except StopIteration as end:
        ended.over, ended.value = True, end.value
    except CoreopsError as error:
        ended.over, ended.error = True, error
        check_words(world, str(error))
    finally:
        talk.close()
    return ended


def check_step(world: World, step: ShellStep) -> None:
    """No secret may be seen in a step; ``env``, ``stdin`` and blobs travel unseen."""
    for text in (step.id, step.title, step.probe or "", step.act or "", step.cwd):
        check_words(world, text)


def check_words(world: World, text: str) -> None:
    for secret in world.secrets():
        assert secret not in text, f"a secret can be seen in {text!r}"


def breaks(
    worlds: Callable[[], World],
    before: Callable[[World], None],
    talk: Callable[[World], tuple[Sequence[str], Callable[[], Talk[None]]]],
) -> list[int]:
    """After how many steps to break a talk off: the first, the last, and all after which the world is not as it was."""
    world = worlds()
    before(world)
    ended = hold(world, *talk(world))
    assert ended.over
    return sorted({1, *ended.moved, ended.steps} - {0})


def must(world: World, hosts: Sequence[str], make: Callable[[], Talk[T]], **more: Any) -> T:
    """Hold a talk that has to succeed; what it returned."""
    ended = hold(world, hosts, make, **more)
    assert ended.error is None, f"{ended.error}"
    assert ended.over, f"it went on waiting for {ended.pauses[-1:]}"
    value: T = ended.value
    return value


def node_of(world: World, host: str) -> Node:
    found = [node for node in listed(world) if node.host == host]
    assert len(found) == 1, f"{host} is listed {len(found)} times"
    return found[0]


def listed(world: World) -> tuple[Node, ...]:
    return must(world, runs_on(world.scheduler), world.scheduler.nodes)


def cordon(world: World, host: str, mark: Mark = UPGRADE, **more: Any) -> None:
    must(world, world.scheduler.where(host), lambda: world.scheduler.cordon(host, mark), **more)


def drain(world: World, host: str, mark: Mark = UPGRADE, **more: Any) -> None:
    must(world, world.scheduler.where(host), lambda: world.scheduler.drain(host, mark), **more)


def uncordon(world: World, host: str, mark: Mark = UPGRADE, **more: Any) -> None:
    must(world, world.scheduler.where(host), lambda: world.scheduler.uncordon(host, mark), **more)


def left(world: World, host: str) -> tuple[str, ...]:
    return must(world, world.scheduler.where(host), lambda: world.scheduler.drained(host))


def picture(world: World) -> list[tuple[Any, ...]]:
    """All that matters of a cluster, to compare two ends."""
    return sorted(
        (node.host, node.role, node.state, node.cordoned, node.drained, world.open(node.host), world.running(node.host))
        for node in listed(world)
    )
