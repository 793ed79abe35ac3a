"""A machine is switched; what it is reached by afterwards is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from coreops.errors import CoreopsError
from coreops.inventory.machines import FILE, load_machines
from coreops.providers.protocol import Machine, Power
from coreops.provision.book import Book
from coreops.provision.power import switch
from tests.provision.cloud import CLUSTER, Memory, key


class Moving(Memory):
    """Its machines get another address each time they are switched on."""

    def power(self, machine: Machine, power: Power) -> None:
        super().power(machine, power)
        if power == "on":
            now = self.machines[machine.node]
            self.machines[machine.node] = replace(now, addresses={"public_ipv4": "198.51.100.7"})


@pytest.fixture
def book(tmp_path: Path) -> Book:
    (tmp_path / FILE).parent.mkdir()
    return Book(tmp_path)


def test_off_and_on_with_another_address(tmp_path: Path, book: Book) -> None:
    cloud = Moving()
    share = cloud.share("n1")
    machine = cloud.create(share.wanted[0])
    book.learn("memory", CLUSTER, machine, [key("n1")], ())
    outcome = switch(share, machine, "off", book, lambda node: ())
    assert (outcome.state, outcome.machine and outcome.machine.state) == ("off", "stopped")
    outcome = switch(share, machine, "on", book, lambda node: ("n1.example.net",))
    assert outcome.state == "on"
    assert load_machines(tmp_path)["n1"]["addresses"] == {"public_ipv4": "198.51.100.7"}
    assert (tmp_path / "known_hosts").read_text() == f"n1.example.net,198.51.100.7 {key('n1')}\n"


def test_a_machine_that_does_not_follow_is_told(book: Book) -> None:
    class Stubborn(Memory):
        def power(self, machine: Machine, power: Power) -> None:
            """Nothing happens."""

    cloud = Stubborn()
    share = cloud.share("n1")
    machine = cloud.create(share.wanted[0])
    with pytest.raises(CoreopsError, match="not stopped after 0 s"):
        switch(share, machine, "off", book, lambda node: (), wait=0)
    cloud.machines.clear()
    with pytest.raises(CoreopsError, match="no longer lists it"):
        switch(share, machine, "reset", book, lambda node: ())
