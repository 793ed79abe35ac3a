"""Who cordons, drains and undoes what, for every order of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from coreops.schedulers.protocol import Fenced, Mark
from coreops.schedulers.swarm import marks
from coreops.schedulers.swarm.marks import Spec

UPGRADE, OPERATOR = Mark(by="upgrade", token=3), Mark(by="operator")
availabilities = st.sampled_from(marks.AVAILABILITIES)
hostile = st.dictionaries(st.sampled_from([marks.CORDON, marks.DRAIN, marks.TOKEN]), st.text(max_size=12))
specs = st.builds(Spec, availabilities, st.just("worker"), st.fixed_dictionaries({"theirs": st.text()}))


def ours(spec: Spec) -> dict[str, str]:
    return {key: value for key, value in spec.labels.items() if key.startswith("coreops.") and key != marks.TOKEN}


@given(specs, st.booleans(), st.booleans())
def test_an_upgrade_leaves_a_node_as_it_found_it(spec: Spec, cordons: bool, drains: bool) -> None:
    now = marks.cordon(spec, UPGRADE) if cordons else spec
    now = marks.drain(now, "upgrade", 3) if drains else now
    if cordons or drains:
        assert now.availability != "active"
    end = marks.uncordon(now, "upgrade", 3)
    assert end.availability == spec.availability
    assert ours(end) == {}
    assert end.labels["theirs"] == spec.labels["theirs"]


@hypothesis_settings(max_examples=50)
@given(specs, st.lists(st.sampled_from(["cordon", "drain", "restart", "operator"]), max_size=6))
def test_what_an_operator_cordoned_last_outlives_all_others(spec: Spec, events: list[str]) -> None:
    for event in events:
        spec = {
            "cordon": lambda s: marks.cordon(s, UPGRADE),
            "drain": lambda s: marks.drain(s, "upgrade", 3),
            "restart": lambda s: marks.drain(s, "restart"),
            "operator": lambda s: marks.cordon(s, OPERATOR),
        }[event](spec)
    spec = marks.cordon(spec, OPERATOR)
    for by in ("upgrade", "restart"):
        spec = marks.uncordon(spec, by, 3 if by == "upgrade" else 0)  # type: ignore[arg-type]
    assert spec.availability != "active"
    assert marks.cordoned(spec) == "operator"
    assert marks.uncordon(spec, "operator").availability == "active"


@given(specs, st.booleans())
def test_an_upgrade_that_meets_a_restart_is_not_undone_by_it(spec: Spec, drains: bool) -> None:
    now = marks.cordon(marks.drain(spec, "restart"), UPGRADE)
    now = marks.drain(now, "upgrade", 3) if drains else now
    after = marks.uncordon(now, "restart")
    assert after.availability == "drain" if drains else after.availability != "active"
    if spec.availability != "drain":
        assert marks.uncordon(after, "upgrade", 3).availability == spec.availability


@given(specs)
def test_done_twice_is_done_once(spec: Spec) -> None:
    for mark in (UPGRADE, OPERATOR):
        once = marks.cordon(spec, mark)
        assert marks.cordon(once, mark) == once
        drained = marks.drain(once, mark.by, mark.token)
        assert marks.drain(drained, mark.by, mark.token) == drained
        undone = marks.uncordon(drained, mark.by, mark.token)
        assert marks.uncordon(undone, mark.by, mark.token) == undone


@given(availabilities, hostile)
def test_labels_that_make_no_sense_are_nobodys(availability: str, labels: dict[str, str]) -> None:
    spec = Spec(availability, "worker", labels)
    for mark in (UPGRADE, OPERATOR):
        try:
            end = marks.uncordon(marks.drain(marks.cordon(spec, mark), mark.by, mark.token), mark.by, mark.token)
        except Fenced:
            assert int(labels[marks.TOKEN]) > 3
            continue
        assert end.availability in marks.AVAILABILITIES
    assert marks.uncordon(spec, "operator").availability == "active"


def test_a_drain_by_hand_after_our_cordon_is_left() -> None:
    spec = replace(marks.cordon(Spec(), UPGRADE), availability="drain")
    assert marks.uncordon(spec, "upgrade", 3).availability == "drain"


def test_a_label_from_before_somebody_opened_the_node_does_not_count() -> None:
    opened = replace(marks.cordon(Spec(), OPERATOR), availability="active")
    assert marks.cordoned(opened) == ""
    again = marks.cordon(opened, UPGRADE)
    assert marks.cordoned(again) == "upgrade"
    assert marks.uncordon(again, "upgrade", 3).availability == "active"


@pytest.mark.parametrize("old", [0, 1, 2])
def test_fencing(old: int) -> None:
    spec = marks.cordon(Spec(), UPGRADE)
    if old == 0:
        assert marks.cordon(spec, OPERATOR).labels[marks.TOKEN] == "3"
        return
    for act in (
        lambda: marks.cordon(spec, Mark(by="upgrade", token=old)),
        lambda: marks.drain(spec, "upgrade", old),
        lambda: marks.uncordon(spec, "upgrade", old),
    ):
        with pytest.raises(Fenced, match="newer upgrade"):
            act()


def test_the_rest_of_a_spec_is_kept() -> None:
    raw = {"Name": "x", "Role": "manager", "Availability": "active", "Labels": {"a": "b"}, "Later": {"c": 1}}
    assert Spec.of(raw).raw() == raw
    assert Spec.of({"Role": "worker", "Availability": "active", "Labels": None}).labels == {}
