"""What there is, whose it is, and count and types in one line."""

from __future__ import annotations

from coreops.providers.protocol import Machine
from coreops.provision.summary import summary
from coreops.provision.survey import survey, unasked
from tests.provision.cloud import Memory


def test_counts_and_types() -> None:
    cloud = Memory()
    cloud.machines = {"n1": Machine("n1", "a", "running"), "n9": Machine("n9", "b", "running")}
    surveys = survey([cloud.share("n1", "n2", "n3")])
    assert summary(surveys) == "machines: 2 to create (2 x memory small), 1 not in the inventory, 1 to keep"
    assert summary(survey([cloud.share("n1")], ["n1"])) == "machines: 1 to keep"
    assert summary([]) == "machines: none"


def test_a_machine_that_another_program_is_to_make_is_no_stray() -> None:
    mine, other = Memory(), Memory(name="other")
    mine.machines = other.machines = {"n1": Machine("n1", "a", "running"), "n2": Machine("n2", "b", "running")}
    first, second = survey([mine.share("n1"), other.share("n2")])
    assert [(each.node, each.action) for each in (*first.changes, *second.changes)] == [("n1", "keep"), ("n2", "keep")]
    (first,) = survey([mine.share("n1")])
    assert (first.is_stray("n1"), first.is_stray("n2")) == (False, True)


def test_machines_that_nobody_looks_at_are_named() -> None:
    made = {"provider": "memory", "cluster": "c", "id": "i-1"}
    machines = {"n1": made, "n2": made | {"cluster": "old"}, "n3": made | {"provider": "gone"}}
    told = list(unasked(machines, [Memory().share("n1")]))
    assert [line.partition(":")[0] for line in told] == ["n2", "n3"]
    assert "gone made i-1 for cluster c" in told[1]
