"""Our reading of fleet's rules against the fake's, which was written apart from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coreops.schedulers.fleet import rules
from coreops.schedulers.fleet.wire import Machine, Option, Unit
from tests.schedulers.fleet import model

NAMES = ("a@1.service", "a@2.service", "b.service", "c.timer")
KEYS = ("MachineID", "X-ConditionMachineID", "MachineOf", "X-ConditionMachineOf", "Conflicts", "X-Conflicts", "Global",
        "MachineMetadata", "X-ConditionMachineMetadata", "Replaces")  # fmt: skip
VALUES = ("m1-abcdefgh", "m1-abcde", "m2-abcdefgh", *NAMES, "a@*", "*", "%p@*", "%n", "b.service c.timer", "zone=z1",
          "zone=z2", "zone=", "disk=ssd", "a=b=c", "true", "yes", "no")  # fmt: skip
OPTIONS = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=4)
UNITS = st.fixed_dictionaries(dict.fromkeys(NAMES, OPTIONS))


@given(
    UNITS,
    st.sets(st.sampled_from(NAMES)),
    st.dictionaries(st.sampled_from(["zone", "disk"]), st.sampled_from(["z1", "ssd"])),
)
def test_who_can_run_where(told: dict[str, list[tuple[str, str]]], there: set[str], metadata: dict[str, str]) -> None:
    fleet = model.Fleet()
    fleet.machines["m1-abcdefgh"] = model.Machine("m1-abcdefgh", metadata=metadata)
    jobs = {
        name: model.Job(name, [{"section": "X-Fleet", "name": key, "value": value} for key, value in options])
        for name, options in told.items()
    }
    units = {name: Unit(name, tuple(Option("X-Fleet", *each) for each in options)) for name, options in told.items()}
    asked = {name: rules.asks(unit) for name, unit in units.items()}
    machine = Machine("m1-abcdefgh", metadata=metadata)
    for name in NAMES:
        ours = rules.obstacle(name, asked[name], machine, {other: asked[other] for other in there})
        its = fleet.unable(jobs[name], "m1-abcdefgh", {other: jobs[other] for other in there})
        assert bool(ours) == bool(its), (name, ours, its)
        assert asked[name].everywhere == jobs[name].everywhere


def test_units_that_belong_together_move_in_the_order_that_works() -> None:
    def of(*peers: str) -> rules.Asks:
        return rules.Asks(peers=peers)

    asked = {"c": of("b"), "b": of("a"), "a": of(), "x": of("gone"), "y": of("z"), "z": of("y")}
    assert rules.together(("c", "x", "b", "a", "y", "z"), asked) == (("a", "b", "c"), ("x",), ("y", "z"))


def test_only_the_two_options_in_the_same_section_count() -> None:
    unit = Unit("a.service", (Option("Unit", "Conflicts", "b.service"), Option("X-Fleet", "Conflicts", "c.service")))
    assert rules.asks(unit).conflicts == ("c.service",)
