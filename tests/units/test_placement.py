"""Placement: fleet's rules, told once more slowly, must give the same answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.units import glob
from coreops.units.names import natural
from coreops.units.placement import Machine, Wish, place

MACHINES = tuple(
    Machine(name=f"n{i}", id=f"{9 - i}" * 32, metadata={"zone": "ab"[i % 2]} | ({"disk": "ssd"} if i == 3 else {}))
    for i in range(4)
)


def web(count: int, **more: object) -> list[Wish]:
    return [Wish(name=f"web@{i}.service", conflicts=("web@*.service",), **more) for i in range(1, count + 1)]  # type: ignore[arg-type]


def one(wish: Wish, now: Mapping[str, Sequence[str]] | None = None) -> tuple[str, ...]:
    return place([wish], MACHINES, now).on[wish.name]


def test_the_lowest_machine_id_among_equals() -> None:
    assert one(Wish(name="a.service")) == ("n3",)
    assert place([Wish(name=f"{c}.service") for c in "abcde"], MACHINES).on["e.service"] == ("n3",)


def test_what_a_unit_asks_for() -> None:
    assert one(Wish(name="a.service", metadata={"zone": frozenset("a")})) == ("n2",)
    assert one(Wish(name="a.service", metadata={"zone": frozenset("b"), "disk": frozenset(["ssd"])})) == ("n3",)
    for called in ("9" * 32, "9" * 8, "n0"):
        assert one(Wish(name="a.service", machine_id=called)) == ("n0",)
    assert one(Wish(name="a.service", everywhere=True, metadata={"zone": frozenset("a")})) == ("n2", "n0")


def test_conflicts_work_both_ways() -> None:
    spread = place(web(4), MACHINES)
    assert {on for (on,) in spread.on.values()} == {"n0", "n1", "n2", "n3"}
    placed = {name: on for name, on in spread.on.items() if name != "web@1.service"}
    for wish in (Wish(name="web@x.service"), Wish(name="b.service", conflicts=("web@*.service",))):
        found = place([*web(4)[1:], wish], MACHINES, placed)
        assert found.on[wish.name] == spread.on["web@1.service"]


def test_a_unit_beside_another_moves_with_it() -> None:
    pair = [Wish(name="side.service", machine_of=("web.service",)), Wish(name="web.service")]
    found = place(pair, MACHINES)
    assert found.on["side.service"] == found.on["web.service"] == ("n3",)
    gone = [*MACHINES[:3], Machine(name="n3", id="6" * 32, open=False, keeps=False)]
    moved = place(pair, gone, found.on)
    assert moved.on["side.service"] == moved.on["web.service"] == ("n2",)
    assert set(moved.moved) == {"side.service", "web.service"}


def test_what_is_placed_stays_where_it_may_and_nothing_is_rebalanced() -> None:
    wishes = [Wish(name=f"{c}.service") for c in "abc"]
    now = {wish.name: ("n0",) for wish in wishes}
    assert place(wishes, MACHINES, now).moved == ()
    closed = [Machine(name="n0", id="0" * 32, open=False), *MACHINES[1:]]
    assert place(wishes, closed, now).moved == ()


def test_a_unit_takes_the_place_of_another() -> None:
    old = Wish(name="old.service")
    new = Wish(name="new.service", replaces=("old.*",), metadata={"disk": frozenset(["ssd"])})
    found = place([old, new], MACHINES, {"old.service": ("n3",)})
    assert found.on == {"new.service": ("n3",), "old.service": ("n2",)}


def test_the_unit_with_few_machines_to_choose_from_is_served_first() -> None:
    picky = Wish(name="z.service", conflicts=("*.service",), metadata={"disk": frozenset(["ssd"])})
    found = place([Wish(name="a.service"), picky], MACHINES)
    assert found.unplaced == ()
    assert found.on["z.service"] == ("n3",)


def test_what_cannot_be_placed_says_why_and_where_it_was_closest() -> None:
    found = place([*web(5)], MACHINES)
    assert [u.name for u in found.unplaced] == ["web@5.service"]
    assert "Conflicts on 4" in found.unplaced[0].why
    assert found.unplaced[0].closest[0] == ("n3", ("Conflicts with web@1.service",))
    wish = Wish(name="a.service", metadata={"zone": frozenset("a"), "disk": frozenset(["nvme", "ssd"])})
    (said,) = place([wish], MACHINES).unplaced
    assert [name for name, _ in said.closest] == ["n3", "n2", "n0"]
    assert "MachineMetadata zone=a wanted, it has zone=b" in str(said)
    assert "MachineMetadata disk=nvme or ssd wanted, it has none" in str(said)
    assert "no unit of this name" in str(
        place([Wish(name="a.service", machine_of=("b.service",))], MACHINES).unplaced[0]
    )
    circle = [Wish(name=f"{a}.service", machine_of=(f"{b}.service",)) for a, b in ("ab", "ba")]
    assert "MachineOf goes in a circle: a.service, b.service" in str(place(circle, MACHINES).unplaced[0])
    assert "no machines" in str(place(web(1), []).unplaced[0])


NAMES = tuple(f"{p}@{i}.service" for p in "ab" for i in (1, 2, 10))
PATTERN = st.sampled_from(("a@*", "b@*", "*@1.service", "b@1?.service", "*"))
WISHES = st.lists(
    st.builds(
        Wish,
        name=st.sampled_from(NAMES),
        machine_id=st.sampled_from(("", "", "n1", "7" * 8)),
        machine_of=st.lists(st.sampled_from(NAMES), max_size=1).map(tuple),
        metadata=st.dictionaries(st.just("zone"), st.frozensets(st.sampled_from("abc"), min_size=1), max_size=1),
        conflicts=st.lists(PATTERN, max_size=2).map(tuple),
        everywhere=st.sampled_from((False, False, True)),
    ).filter(lambda wish: not (wish.everywhere and wish.machine_of)),
    unique_by=lambda wish: wish.name,
    max_size=6,
)
CROWD = st.lists(
    st.builds(
        Machine,
        name=st.sampled_from(("n0", "n1", "n2", "n3")),
        id=st.sampled_from(("7" * 32, "8" * 32, "9" * 32)),
        metadata=st.dictionaries(st.just("zone"), st.sampled_from("abc"), max_size=1),
        open=st.booleans(),
        keeps=st.booleans(),
    ),
    unique_by=lambda machine: machine.name,
    max_size=4,
)
NOW = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(("n0", "n1", "n2", "gone")), max_size=2))


def able(wish: Wish, machine: Machine, on: Mapping[str, set[str]], wishes: Mapping[str, Wish]) -> bool:
    """fleet's AbleToRun, one machine and one unit at a time."""
    if wish.machine_id and wish.machine_id not in (machine.id, machine.id[:8], machine.name):
        return False
    if any(machine.metadata.get(key) not in wanted for key, wanted in wish.metadata.items()):
        return False
    if any(machine.name not in on.get(peer, ()) for peer in wish.machine_of):
        return False
    for other, there in on.items():
        if machine.name in there and other != wish.name:
            if any(glob.matches(p, other) for p in wish.conflicts):
                return False
            if any(glob.matches(p, wish.name) for p in wishes[other].conflicts):
                return False
    return True


def slowly(
    wishes: Sequence[Wish], machines: Sequence[Machine], now: Mapping[str, Sequence[str]]
) -> dict[str, set[str]]:
    """The same rules without any index."""
    known = {wish.name: wish for wish in wishes}
    by_id = sorted(machines, key=lambda m: (m.id, m.name))

    def choice(wish: Wish) -> int:
        alone = Wish(name=wish.name, machine_id=wish.machine_id, metadata=wish.metadata)
        return sum(able(alone, machine, {}, known) for machine in machines)

    order: list[Wish] = []

    def visit(wish: Wish, above: tuple[str, ...]) -> None:
        for peer in wish.machine_of:
            if peer in known and peer not in above and not known[peer].everywhere and known[peer] not in order:
                visit(known[peer], (*above, peer))
        if wish not in order:
            order.append(wish)

    for wish in sorted((w for w in wishes if not w.everywhere), key=lambda w: (choice(w), natural(w.name))):
        visit(wish, (wish.name,))
    everywhere = sorted((w for w in wishes if w.everywhere), key=lambda w: natural(w.name))
    on: dict[str, set[str]] = {}
    for wish in (*order, *everywhere):
        here = [m for m in by_id if m.name in now.get(wish.name, ()) and m.keeps]
        by_now = sorted(here, key=lambda m: list(now[wish.name]).index(m.name))
        alone = Wish(name=wish.name, machine_id=wish.machine_id, metadata=wish.metadata, machine_of=wish.machine_of)
        may = [m for m in by_now if able(alone, m, on, known)]
        for machine in may if wish.everywhere else may[:1]:
            if able(wish, machine, on, known):
                on.setdefault(wish.name, set()).add(machine.name)
    for wish in everywhere:
        for machine in by_id:
            if machine.open and able(wish, machine, on, known):
                on.setdefault(wish.name, set()).add(machine.name)
    for wish in order:
        if wish.name not in on:
            fine = [m for m in by_id if m.open and able(wish, m, on, known)]
            if fine:
                best = min(fine, key=lambda m: (sum(m.name in there for there in on.values()), m.id, m.name))
                on[wish.name] = {best.name}
    return on


@given(WISHES, CROWD, NOW)
def test_the_same_as_told_slowly(wishes: list[Wish], machines: list[Machine], now: dict[str, list[str]]) -> None:
    found = place(wishes, machines, now)
    assert {name: set(on) for name, on in found.on.items() if on} == slowly(wishes, machines, now)
    assert {u.name for u in found.unplaced} == {name for name, on in found.on.items() if not on}
    assert all(str(u) for u in found.unplaced)
    again = place(reversed(wishes), reversed(machines), found.on)
    kept = {m.name for m in machines if m.keeps}
    kept_alone = [name for name in found.on if not any(wish.machine_of for wish in wishes)]
    assert all(set(again.on[name]) >= set(found.on[name]) & kept for name in kept_alone)


@pytest.mark.slow
def test_ten_thousand_units_on_a_thousand_machines() -> None:
    machines = [Machine(name=f"n{i}", id=f"{i:032x}", metadata={"zone": "abc"[i % 3]}) for i in range(1000)]
    wishes = [Wish(name=f"app{a}@{i}.service", conflicts=(f"app{a}@*",)) for a in range(1000) for i in range(10)]
    found = place(wishes, machines)
    assert found.unplaced == ()
    loads: dict[str, int] = {}
    for (on,) in found.on.values():
        loads[on] = loads.get(on, 0) + 1
    assert set(loads.values()) == {10}


def test_a_circle_of_units_is_told() -> None:
    wishes = [Wish(name=f"{a}.service", machine_of=(f"{b}.service",)) for a, b in ("ab", "bc", "ca", "xa")]
    said = {each.name: each.why for each in place(wishes, MACHINES).unplaced}
    assert said["a.service"] == "MachineOf goes in a circle: a.service, b.service, c.service"
    assert said["x.service"] == "MachineOf=a.service, which is not placed itself"


def test_what_a_machine_has_once() -> None:
    wishes = [Wish(name=f"{c}.service", takes=frozenset(["port 80/tcp"])) for c in "abcde"]
    found = place(wishes, MACHINES)
    assert {on for (on, *_) in filter(None, found.on.values())} == {"n0", "n1", "n2", "n3"}
    (left,) = found.unplaced
    assert str(left).startswith(
        "e.service: none of 4 machines may run it: port on 4 (closest: n3: port 80/tcp is taken by "
    )
    kept = place(wishes[:2], MACHINES, {"a.service": ("n1",), "b.service": ("n1",)})
    assert kept.on["a.service"] == ("n1",)
    assert kept.on["b.service"] != ("n1",)


def test_a_closed_machine_is_told_before_one_that_is_taken() -> None:
    machines = [*MACHINES[:3], Machine(name="n3", id="6" * 32, open=False)]
    (left,) = place(web(4), machines).unplaced
    assert left.closest[0] == ("n3", ("closed (cordoned, drained or not there)",))
