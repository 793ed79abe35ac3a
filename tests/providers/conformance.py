"""What every provider must do, on whatever cloud: subclass ``ProviderConformance`` and give it a fixture ``rig``.

The rig is an empty cloud with room for some machines, and the faults that clouds have.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol

import pytest

from coreops.errors import CoreopsError
from coreops.providers.protocol import ADDRESSES, Machine, Provider, Wanted

CLUSTER = "conformance"
TOLD = "You have requested more of 'these' than your limit of 2\u2026 allows (code: 'Quota-$(x)')"


class Rig(Protocol):
    """A cloud and the way to it."""

    provider: Provider

    def wanted(self, node: str, cluster: str = CLUSTER) -> Wanted:
        """A node as an inventory would want it; the same at each call."""

    def resized(self, wanted: Wanted) -> Wanted:
        """The same node, after the operator asked for another type of machine."""

    def ids(self) -> set[str]:
        """Every machine that there is (a destroyed one is not), by its id, ours or not; asked of the cloud itself."""

    def stranger(self) -> str:
        """Make a machine that does not carry our mark, and that has n1 in its name; return its id."""

    def lose_answers(self, count: int) -> None:
        """The next ``count`` requests that make a machine make it, but nobody hears of it: the caller dies or fails."""

    def refuse(self, told: str | None) -> None:
        """From now on refuse to make machines, with this text; None: make them again."""

    def vanish(self, machine: Machine) -> None:
        """Remove a machine behind the provider's back."""

    def settle(self) -> None:
        """Let pass whatever time machines need until they run."""


def observe(rig: Rig) -> dict[str, Machine]:
    machines = rig.provider.observe(CLUSTER)
    assert len({machine.node for machine in machines}) == len(machines), machines
    return {machine.node: machine for machine in machines}


def actions(rig: Rig, *wanted: Wanted) -> dict[str, str]:
    return {change.node: change.action for change in rig.provider.plan(wanted, tuple(observe(rig).values()))}


class ProviderConformance:
    """The rules."""

    def test_an_empty_cloud_has_no_machine_and_needs_all(self, rig: Rig) -> None:
        assert observe(rig) == {}
        (change,) = rig.provider.plan([rig.wanted("n1")], ())
        assert (change.node, change.action) == ("n1", "create")
        assert change.calls, "--check must be able to print what would be called"
        assert rig.ids() == set(), "a plan makes nothing"

    def test_a_machine_is_made_and_found_again(self, rig: Rig) -> None:
        made = rig.provider.create(rig.wanted("n1"))
        rig.settle()
        found = observe(rig)["n1"]
        assert found.id == made.id
        assert found.state == "running"
        assert found.addresses
        assert set(found.addresses) <= set(ADDRESSES)
        assert rig.ids() == {made.id}
        assert actions(rig, rig.wanted("n1")) == {"n1": "keep"}

    def test_create_twice_is_one_machine(self, rig: Rig) -> None:
        first = rig.provider.create(rig.wanted("n1"))
        assert rig.provider.create(rig.wanted("n1")).id == first.id
        rig.settle()
        assert rig.provider.create(rig.wanted("n1")).id == first.id
        assert rig.ids() == {first.id}

    def test_a_lost_answer_leaves_no_orphan(self, rig: Rig) -> None:
        rig.lose_answers(1)
        with suppress(CoreopsError):  # a provider may try again itself, or say that it does not know how it went
            rig.provider.create(rig.wanted("n1"))
        made = rig.provider.create(rig.wanted("n1"))
        rig.settle()
        assert rig.ids() == {made.id}
        assert observe(rig).keys() == {"n1"}

    def test_a_refusal_is_told_verbatim_and_a_second_run_finishes(self, rig: Rig) -> None:
        first = rig.provider.create(rig.wanted("n1"))
        rig.refuse(TOLD)
        with pytest.raises(CoreopsError) as caught:
            rig.provider.create(rig.wanted("n2"))
        assert TOLD in (caught.value.why or "")
        assert caught.value.next
        rig.settle()
        assert actions(rig, rig.wanted("n1"), rig.wanted("n2")) == {"n1": "keep", "n2": "create"}
        assert rig.provider.create(rig.wanted("n1")).id == first.id, "what is there needs no quota"
        rig.refuse(None)
        rig.provider.create(rig.wanted("n2"))
        assert len(rig.ids()) == 2

    def test_many_at_a_time_are_one_each(self, rig: Rig) -> None:
        wanted = [rig.wanted(f"n{number}") for number in range(1, 5)]
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(rig.provider.create, wanted))
        rig.settle()
        assert [machine.node for machine in made] == [each.node for each in wanted]
        assert rig.ids() == {machine.id for machine in made}
        assert observe(rig).keys() == {each.node for each in wanted}

    def test_only_what_is_ours_is_seen_and_destroyed(self, rig: Rig) -> None:
        stranger = rig.stranger()
        other = rig.provider.create(rig.wanted("n1", cluster="somebody-elses"))
        made = rig.provider.create(rig.wanted("n1"))
        assert made.id not in (stranger, other.id)
        rig.settle()
        (ours,) = observe(rig).values()
        rig.provider.destroy(ours)
        rig.settle()
        assert observe(rig) == {}
        assert rig.ids() == {stranger, other.id}

    def test_what_is_gone_is_destroyed(self, rig: Rig) -> None:
        made = rig.provider.create(rig.wanted("n1"))
        rig.settle()
        rig.provider.destroy(made)
        rig.provider.destroy(made)

    def test_a_deleted_machine_is_drift(self, rig: Rig) -> None:
        made = rig.provider.create(rig.wanted("n1"))
        rig.settle()
        rig.vanish(made)
        assert actions(rig, rig.wanted("n1")) == {"n1": "create"}
        again = rig.provider.create(rig.wanted("n1"))
        assert rig.ids() == {again.id}

    def test_a_resized_machine_is_drift_and_says_what_differs(self, rig: Rig) -> None:
        rig.provider.create(rig.wanted("n1"))
        rig.settle()
        found = tuple(observe(rig).values())
        (change,) = rig.provider.plan([rig.resized(rig.wanted("n1"))], found)
        assert change.action == "replace"
        assert change.why

    def test_a_machine_that_nobody_wants_is_named(self, rig: Rig) -> None:
        rig.provider.create(rig.wanted("n1"))
        rig.settle()
        assert actions(rig) == {"n1": "remove"}

    def test_power_off_and_on(self, rig: Rig) -> None:
        made = rig.provider.create(rig.wanted("n1"))
        rig.settle()
        rig.provider.power(made, "off")
        rig.settle()
        assert observe(rig)["n1"].state == "stopped"
        assert actions(rig, rig.wanted("n1")) == {"n1": "start"}
        assert rig.provider.create(rig.wanted("n1")).id == made.id
        rig.settle()
        assert observe(rig)["n1"].state == "running"

    def test_host_keys_are_lines_of_two_words(self, rig: Rig) -> None:
        made = rig.provider.create(rig.wanted("n1"))
        rig.settle()
        for line in rig.provider.host_keys(made):
            assert line == " ".join(line.split()[:2])

    def test_user_data_is_not_shown(self, rig: Rig) -> None:
        wanted = rig.wanted("n1")
        assert wanted.user_data
        (change,) = rig.provider.plan([wanted], ())
        assert wanted.user_data.decode() not in " ".join((repr(wanted), *change.calls))
