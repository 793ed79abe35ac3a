"""Which tokens of Nomad's ACLs go, and which stay."""

from __future__ import annotations

from coreops.schedulers.protocol import Move, Settled
from tests.schedulers.nomad.world import NomadWorld
from tests.schedulers.worlds import must


def decided(world: NomadWorld) -> Move | Settled:
    scheduler = world.scheduler
    looks = {host: must(world, (host,), lambda host=host: scheduler.look(host)) for host in scheduler.cluster.names}
    return scheduler.decide(looks)


def test_old_tokens_stay_while_servers_use_them() -> None:
    """As with --limit: the playbook has brought the new one to some servers only."""
    world = NomadWorld(acl=True)
    must(world, ["n1"], lambda: world.scheduler.issue("nomad-token"))  # type: ignore[attr-defined]
    old, new = world.nomad.tokens
    world.placed["n1"] = new
    assert decided(world) == Settled()
    world.placed = {"n1": new, "n2": new, "n3": "nobody's"}
    assert decided(world) == Move(title="wait until n3 takes the new token")
    world.placed["n3"] = new
    move = decided(world)
    assert isinstance(move, Move)
    assert move.on == ("n1", "n2", "n3")  # with --limit, it is refused
    must(world, ["n1"], move.talks["n1"])
    assert world.nomad.tokens == [new]
    assert old not in str(move)


def test_tokens_of_others_stay() -> None:
    world = NomadWorld(acl=True)
    for name in ("Bootstrap Token", "ann's", "coreops"):
        made = world.nomad.make_token({"Name": name, "Type": "management"})
        assert made["Name"] == name
    must(world, ["n1"], lambda: world.scheduler.issue("nomad-token"))  # type: ignore[attr-defined]
    first, *theirs, new = world.nomad.tokens
    world.placed = dict.fromkeys(world.placed, new)
    move = decided(world)
    assert isinstance(move, Move)
    must(world, ["n1"], move.talks["n1"])
    assert world.nomad.tokens == [*theirs, new]
    assert first not in world.nomad.tokens
