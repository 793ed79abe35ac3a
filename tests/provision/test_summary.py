"""Count and types, in one line."""

from __future__ import annotations

from coreops.providers.protocol import Machine
from coreops.provision.summary import summary
from coreops.provision.survey import survey
from tests.provision.cloud import Memory


def test_counts_and_types() -> None:
    cloud = Memory()
    cloud.machines = {"n1": Machine("n1", "a", "running"), "n9": Machine("n9", "b", "running")}
    surveys = survey([cloud.share("n1", "n2", "n3")])
    assert summary(surveys) == "machines: 2 to create (2 x memory small), 1 not in the inventory, 1 to keep"
    assert summary(survey([cloud.share("n1")], ["n1"])) == "machines: 1 to keep"
    assert summary([]) == "machines: none"
