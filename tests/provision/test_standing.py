"""How machines stand that coreops does not make."""

from __future__ import annotations

from coreops.errors import HostFailed, UnreachableError
from coreops.identity.identity import Identity
from coreops.model import Position
from coreops.providers.protocol import Wanted
from coreops.provision.share import Share, Survey
from coreops.provision.standing import Answer, standing
from coreops.provision.summary import summary
from tests.provision.cloud import Memory

ID = "3fa85f6457174562b3fc2c963f66afa6"
OTHER = "0" * 31 + "1"


def wanted(*nodes: str) -> list[Wanted]:
    return [Wanted(node, "", b"", {}, Position("hosts.yml", number)) for number, node in enumerate(nodes, 3)]


def judged(claims: dict[str, frozenset[str]] | None = None, **answers: Answer) -> dict[str, tuple[str, str]]:
    changes = standing(wanted(*answers), answers, claims or {})
    return {each.node: (each.action, each.why) for each in changes}


def test_who_answers_is_reachable_and_says_what_it_runs() -> None:
    answer = Identity(machine_id=ID, hostname="a", version="4081.2.0", addresses=("10.0.0.5", "fd00::5"))
    assert judged(a=answer) == {"a": ("reachable", "4081.2.0, machine-id 3fa85f645717, 10.0.0.5, fd00::5")}


def test_who_does_not_answer_says_why() -> None:
    error = UnreachableError("tcp", "cannot connect", where="b", why="Connection refused")
    assert judged(b=error) == {"b": ("unreachable", "cannot connect: Connection refused")}


def test_who_answers_without_an_identity_is_there() -> None:
    error = HostFailed("the node did not say who it is", why="it has no /etc/machine-id")
    assert judged(b=error) == {"b": ("reachable", "the node did not say who it is: it has no /etc/machine-id")}


def test_clones_are_named_both_with_their_places() -> None:
    one, two = Identity(machine_id=ID, boot_id="1", hostname="a"), Identity(machine_id=ID, boot_id="2", hostname="b")
    found = judged(a=one, b=two, c=Identity(machine_id=OTHER, hostname="c"))
    assert [found[node][0] for node in "abc"] == ["duplicate", "duplicate", "reachable"]
    for node in "ab":
        assert "a (hosts.yml:3) and b (hosts.yml:4)" in found[node][1]
        assert "clone" in found[node][1]


def test_an_address_that_is_another_ones_is_a_duplicate() -> None:
    one, two = Identity(machine_id=ID, hostname="a"), Identity(machine_id=OTHER, hostname="b", addresses=("10.0.0.5",))
    found = judged({"a": frozenset({"10.0.0.5"})}, a=one, b=two)
    assert [found[node][0] for node in "ab"] == ["duplicate", "duplicate"]


def test_the_summary_counts_them() -> None:
    error = UnreachableError("tcp", "cannot connect", where="b")
    share = Share(Memory(), "", tuple(wanted("a", "b")))
    changes = standing(share.wanted, {"a": Identity(machine_id=ID), "b": error}, {})
    assert summary([Survey(share, (), changes)]) == "machines: 1 reachable, 1 not to be reached"
