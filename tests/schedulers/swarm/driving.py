"""Goes the adapter's way to the wanted swarm in a fake world, as bootstrap does on nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coreops.schedulers.protocol import Move, Seen, Settled
from tests.schedulers.worlds import must

if TYPE_CHECKING:
    from tests.schedulers.swarm.fake import World


def look(world: World) -> dict[str, Seen]:
    """See every host."""
    return {
        host: must(world, (host,), lambda host=host: world.scheduler.look(host))
        for host in world.scheduler.cluster.names
    }


def settle(world: World, moves: int = 60) -> list[str]:
    """Do one move after the other until the swarm is as wanted; their titles."""
    said: list[str] = []
    for _ in range(moves):
        step = world.scheduler.decide(look(world))
        if isinstance(step, Settled):
            return said
        said.append(step.title)
        do(world, step)
    raise AssertionError(f"it does not settle: {said[-5:]}")


def do(world: World, step: Move) -> None:
    """Carry out one move; a move that waits lets time pass."""
    for host, make in step.talks.items():
        must(world, (host,), make)
    if not step.talks and world_has_swarm(world):
        world.tick()


def world_has_swarm(world: World) -> bool:
    return any(engine.swarm for engine in world.engines.values())
