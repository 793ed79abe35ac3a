"""Before anything is touched: what is read, what is refused, and what the plan says in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from coreops.errors import CoreopsError, InputError, RefusedError, UnreachableError
from coreops.upgrade.cluster.looks import Look
from coreops.upgrade.observation import Observation, StoreView, Ticket
from coreops.upgrade.planning import plan_text, prepare
from coreops.upgrade.planning.prepare import Prepared
from coreops.upgrade.planning.request import Request
from tests.upgrade.samples import BOARD, release, seen

ALL = [release("1.0.0"), release("1.1.0"), release("1.2.0")]
HOSTS = ("n1", "n2", "n3")
AWAY = UnreachableError("tcp", "connection refused")


class Shop:
    """A repository that was verified."""

    def boards(self) -> list[str]:
        return [BOARD]

    def channels(self, board: str) -> dict[str, str]:
        return {"stable": "1.1.0", "alpha": "1.2.0"} if board == BOARD else {}

    def releases(self) -> tuple[Any, ...]:
        return tuple(ALL)

    def version(self, version: str, board: str) -> Any:
        return next(one for one in ALL if one.version == version)

    def release(self, channel: str, board: str) -> Any:
        if channel not in self.channels(board):
            raise InputError(f"no {channel} for {board}")
        return self.version(self.channels(board)[channel], board)


Make = Callable[..., Prepared]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Prepare with hosts that are as they are said to be; ``store``: which of them are members."""
    monkeypatch.setattr(prepare, "_repository", lambda settings: Shop())

    def prepared(
        hosts: Mapping[str, Observation | CoreopsError] | None = None,
        *,
        store: tuple[str, ...] = (),
        leader: str | None = None,
        variables: Mapping[str, Any] | None = None,
        denied: Mapping[str, str] | None = None,
        own: Mapping[str, Mapping[str, Any]] | None = None,
        **request: Any,
    ) -> Prepared:
        found = hosts or {name: seen("1.0.0") for name in HOSTS}
        inventory = {
            "all": {
                "vars": {"upgrade_channel": "stable", **(variables or {})},
                "hosts": {
                    name: {"ansible_host": f"10.0.0.{n}", "zone": f"z{n}", **(own or {}).get(name, {})}
                    for n, name in enumerate(found, 1)
                },
                "children": {"store": {"hosts": {name: {} for name in store}}} if store else {},
            }
        }
        path = tmp_path / "inventory.yml"
        path.write_text(yaml.safe_dump(inventory))
        wishes = prepare.read(Request(inventory=str(path), **request), lambda event: None)
        view = StoreView(voters=frozenset(store), healthy=frozenset(store), leader=leader) if store else None
        looks = {
            name: Look(seen=_own(one, name), store=view if name in store else None)
            if isinstance(one, Observation)
            else Look(error=one)
            for name, one in found.items()
        }
        return prepare.plan(wishes, "r", looks, denied or {})

    return prepared


def _own(one: Observation, name: str) -> Observation:
    return replace(one, machine_id=name) if one.machine_id == "m" else one


def text(prepared: Prepared, wall: float = 0.0) -> str:
    return "\n".join(plan_text.lines(prepared, wall))


def test_the_plan_says_order_reasons_and_who_is_left_alone(make: Make) -> None:
    hosts = {"n1": seen("1.0.0"), "n2": seen("1.1.0"), "n3": seen("1.0.0", blockers=("locksmithd reboots it",))}
    said = text(make({**hosts, "n4": AWAY}, store=("n1", "n2", "n3"), leader="n2"))
    assert "upgrade to 1.1.0 (1 MiB): 1 node" in said
    assert "1.  n1  z1  1.0.0 in USR-A  canary, goes first, alone" in said
    assert "n2  runs 1.1.0" in said
    assert "n3  locksmithd reboots it" in said
    assert "n4  no answer: connection refused" in said
    assert "estimated: about" in said


def test_the_plan_says_when_the_window_opens(make: Make) -> None:
    prepared = make(variables={"upgrade_windows": ["Sat 02:00-05:00 UTC"]})
    assert "closed now, and opens Sat 1970-01-03 02:00 UTC" in text(prepared)
    assert "closed now" not in text(prepared, 2 * 86400 + 3 * 3600)


def test_everybody_at_the_release_is_nothing_to_do(make: Make) -> None:
    assert plan_text.is_idle(make({"n1": seen("1.1.0")}))
    assert not plan_text.is_idle(make({"n1": seen("1.1.0", drained=True)}))
    assert not plan_text.is_idle(make({"n1": seen("1.1.0"), "n2": AWAY}))


def test_the_leader_is_planned_last(make: Make) -> None:
    prepared = make(store=HOSTS, leader="n1")
    assert [node.name for node in prepared.stages[0].plan.nodes] == ["n2", "n3", "n1"]


def test_hosts_outside_are_named_with_the_reason(make: Make) -> None:
    prepared = make(limit="n1,n2", own={"n2": {"upgrade_exclude": "on loan"}})
    assert prepared.untouched == {"n2": "excluded: on loan", "n3": "not within --limit"}
    assert [node.name for node in prepared.stages[0].plan.nodes] == ["n1"]
    assert make(zones=("z2",)).untouched == {"n1": "not in --zone", "n3": "not in --zone"}


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"flags": {"channel": "stabel"}}, InputError, "stabel"),
        ({"zones": ("z9",)}, InputError, "unknown zone 'z9'"),
        ({"flags": {"max_unavailable": "0"}}, InputError, "max-unavailable"),
        ({"flags": {"windows": ["Sat 02:00-02:00"]}}, InputError, "can never open"),
        ({"flags": {"max_unavailable": "2"}, "store": HOSTS}, RefusedError, "more than the store's quorum allows"),
        ({"denied": {"1.1.0": "it burns"}}, RefusedError, "1.1.0 is denied"),
        ({"hosts": {"n1": seen("1.2.0")}}, RefusedError, "older than"),
        ({"hosts": {"n1": seen("1.0.0")}, "store": ("n1",)}, RefusedError, "the only member"),
        ({"hosts": {"n1": seen("1.0.0", board="arm64-usr")}}, InputError, "arm64-usr"),
        ({"hosts": {"n1": AWAY}}, UnreachableError, "connection refused"),
        (
            {"hosts": {"n1": seen("1.0.0", machine_id="x"), "n2": seen("1.0.0", machine_id="x")}},
            RefusedError,
            "n1 and n2 have the same machine-id",
        ),
        (
            {"hosts": {"n1": seen("1.0.0", hostname="x"), "n2": seen("1.0.0", hostname="x")}},
            RefusedError,
            "n1 and n2 have the same host name",
        ),
        (
            {"hosts": {"n1": seen("1.0.0", macs=("m",)), "n2": seen("1.0.0", macs=("m",))}},
            RefusedError,
            "n1 and n2 have the same MAC address",
        ),
        ({"variables": {"upgrade_chanel": "stable"}}, InputError, "upgrade_chanel"),
    ],
)
def test_what_is_refused(make: Make, asked: dict[str, Any], error: type[CoreopsError], words: str) -> None:
    with pytest.raises(error) as caught:
        make(**asked)
    assert words in str(caught.value)


def test_what_was_allowed_on_purpose(make: Make) -> None:
    assert make({"n1": seen("1.2.0")}, allow_downgrade=True).stages[0].plan.version == "1.1.0"
    assert make({"n1": seen("1.0.0")}, store=("n1",), flags={"allow_downtime": True}).stages
    assert make(denied={"1.1.0": "it burns"}, start_none=True).stages[0].plan.start_none


def test_no_root_and_no_repository_are_refused_before_anything(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": {"n1": {"ansible_host": "10.0.0.1"}}}}))
    for flags, words in (({}, "no channel repository"), ({"repository": "https://x"}, "no root of trust is pinned")):
        with pytest.raises(InputError, match=words):
            prepare.read(Request(inventory=str(path), flags=flags), lambda event: None)


def test_resume_asks_for_what_was_decided_not_for_what_the_channel_has_by_then(make: Make) -> None:
    assert make().request.version == "1.1.0"
    hosts = {name: seen("1.1.0", passive_version="1.0.0", fallback=True) for name in HOSTS}
    prepared = make(hosts, kind="rollback")
    assert prepared.request.targets == dict.fromkeys(HOSTS, "1.0.0")
    assert prepared.stages[0].plan.deny_source
    assert prepared.stages[0].plan.sha256 == ""


def test_of_an_aborted_rollout_only_what_is_under_way_is_planned(make: Make) -> None:
    ticket = Ticket(run="r0", version="1.1.0", sha256=ALL[1].sha256, slot="USR-B", boot_id="b1", stage="activated")
    prepared = make({"n1": seen("1.0.0", ticket=ticket, drained=True), "n2": seen("1.0.0")}, start_none=True)
    assert [node.name for node in plan_text.turns(prepared)["1.1.0"]] == ["n1"]
    assert plan_text.untouched(prepared) == {"n2": "nothing is under way there"}


def test_an_image_travels_only_to_those_who_lack_it(make: Make) -> None:
    from coreops.upgrade.running.conduct import needed

    assert needed(make())
    assert not needed(make({"n1": seen("1.1.0"), "n2": seen("1.0.0", staged=ALL[1].sha256)}))


def test_later_rounds_start_from_where_earlier_ones_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = [ALL[0], replace(ALL[1], barrier=True), ALL[2]]
    monkeypatch.setattr(Shop, "releases", lambda self: tuple(barrier))
    monkeypatch.setattr(Shop, "version", lambda self, v, b: next(one for one in barrier if one.version == v))
    said = text(make({"n1": seen("1.0.0")}, flags={"channel": "alpha"}))
    assert "round 1 of 2: upgrade to 1.1.0" in said
    assert "1.0.0 in USR-A  canary" in said
    assert "1.1.0  canary" in said.partition("round 2 of 2")[2]


def test_a_run_of_another_machine_goes_where_its_tickets_point(make: Make) -> None:
    ticket = Ticket(run="r0", version="1.2.0", sha256=ALL[2].sha256, slot="USR-B", boot_id="b1", stage="activated")
    hosts = {"n1": seen("1.0.0", ticket=ticket), "n2": seen("1.0.0")}
    assert make(hosts, takes_over=("r0",)).stages[-1].plan.version == "1.2.0"
    with pytest.raises(RefusedError, match="older than"):
        make(hosts)


def test_a_rollback_that_can_take_nobody_back_is_refused(make: Make) -> None:
    with pytest.raises(RefusedError, match="anything to go back to") as caught:
        make({"n1": seen("1.0.0")}, kind="rollback")
    assert caught.value.why == "n1: its other slot holds nothing that boots"
