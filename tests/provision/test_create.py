"""Machines are made, waited for and trusted; one that fails takes no other with it; a second run finishes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from coreops.events import Event, Notice
from coreops.inventory.machines import FILE, load_machines
from coreops.providers.protocol import Machine, Wanted
from coreops.provision.book import Book
from coreops.provision.create import Creation
from coreops.provision.outcome import Outcome
from coreops.provision.replaced import noted
from coreops.provision.survey import survey
from tests.provision.cloud import Memory, key


def run(cloud: Memory, base: Path, *nodes: str, wait: float = 5, emit: list[Event] | None = None) -> dict[str, Outcome]:
    said: list[Event] = [] if emit is None else emit
    creation = Creation(Book(base), said.append, lambda node: (f"{node}.example.net",), forks=4, wait=wait)
    base.joinpath(FILE).parent.mkdir(exist_ok=True)
    outcomes = creation.run(survey([cloud.share(*nodes)]))
    assert [each.node for each in outcomes] == list(nodes)
    return {each.node: each for each in outcomes}


def states(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {node: each.state for node, each in outcomes.items()}


def test_what_is_missing_is_made_and_known_afterwards(tmp_path: Path) -> None:
    cloud = Memory()
    assert states(run(cloud, tmp_path, "n1", "n2")) == {"n1": "created", "n2": "created"}
    learned = load_machines(tmp_path)["n1"]
    assert learned["addresses"] == dict(cloud.machines["n1"].addresses)
    address, identity = learned["addresses"]["private_ipv4"], cloud.machines["n1"].id
    line = f"n1.example.net,{address} {key(identity)}"
    assert line in (tmp_path / "known_hosts").read_text().splitlines()

    asked = list(cloud.asked_for_keys)
    assert states(run(cloud, tmp_path, "n1", "n2", "n3")) == {"n1": "kept", "n2": "kept", "n3": "created"}
    assert sorted(cloud.made) == ["n1", "n2", "n3"]
    assert cloud.asked_for_keys == [*asked, "n3"], "keys that are known are not asked for again"


def test_a_slow_machine_is_waited_for(tmp_path: Path) -> None:
    outcomes = run(Memory(slow=3), tmp_path, "n1")
    assert outcomes["n1"].machine is not None
    assert (outcomes["n1"].state, outcomes["n1"].machine.state) == ("created", "running")


def test_a_refusal_harms_no_other_and_a_second_run_finishes(tmp_path: Path) -> None:
    cloud = Memory(refused={"n2"})
    outcomes = run(cloud, tmp_path, "n1", "n2", "n3")
    assert states(outcomes) == {"n1": "created", "n2": "failed", "n3": "created"}
    assert outcomes["n2"].error is not None
    assert outcomes["n2"].error.why == "no more of these"
    cloud.refused.clear()
    assert states(run(cloud, tmp_path, "n1", "n2", "n3")) == {"n1": "kept", "n2": "created", "n3": "kept"}


@pytest.mark.parametrize(
    ("cloud", "why"),
    [
        (Memory(slow=10_000), "it is pending"),
        (Memory(keyless={"n1"}), "it runs, but its host key is not known"),
    ],
)
def test_who_is_not_ready_in_time_has_failed_but_is_kept(tmp_path: Path, cloud: Memory, why: str) -> None:
    outcomes = run(cloud, tmp_path, "n1", wait=0.01)
    assert outcomes["n1"].state == "failed"
    assert outcomes["n1"].error is not None
    assert outcomes["n1"].error.why == why
    assert load_machines(tmp_path)["n1"]["id"] == "i-1"
    assert not (tmp_path / "known_hosts").exists()
    cloud.slow, cloud.keyless = 0, set()
    assert states(run(cloud, tmp_path, "n1")) == {"n1": "kept"}
    assert (tmp_path / "known_hosts").exists()


def test_a_cloud_that_falls_silent_fails_only_who_waits(tmp_path: Path) -> None:
    class Fickle(Memory):
        def create(self, wanted: Wanted) -> Machine:
            self.deaf = True
            return super().create(wanted)

    outcomes = run(Fickle(refused={"n2"}), tmp_path, "n1", "n2")
    assert states(outcomes) == {"n1": "failed", "n2": "failed"}
    assert outcomes["n1"].error is not None
    assert outcomes["n1"].error.why == "throttled"


def test_a_stopped_machine_is_started_and_one_that_differs_is_left(tmp_path: Path) -> None:
    cloud = Memory()
    cloud.machines = {
        "n1": Machine("n1", "i-a", "stopped", {"private_ipv4": "192.0.2.9"}),
        "n2": Machine("n2", "i-b", "running", {"private_ipv4": "192.0.2.8"}, {"type": "large"}),
    }
    said: list[Event] = []
    assert states(run(cloud, tmp_path, "n1", "n2", emit=said)) == {"n1": "started", "n2": "kept"}
    assert cloud.made == ["n1"]
    assert Notice("differs, and is left alone: type is large, wanted small", "n2") in said


def test_bytes_that_are_no_host_key_are_not_trusted(tmp_path: Path) -> None:
    class Hostile(Memory):
        def host_keys(self, machine: Machine) -> tuple[str, ...]:
            return (f"{key('x')}\n* ssh-ed25519 AAAA",)

    outcomes = run(Hostile(), tmp_path, "n1")
    assert outcomes["n1"].error is not None
    assert "not a host key" in outcomes["n1"].error.what
    assert not (tmp_path / "known_hosts").exists()


def test_an_interrupted_run_has_kept_what_it_made(tmp_path: Path) -> None:
    class Interrupted(Memory):
        def create(self, wanted: Wanted) -> Machine:
            if wanted.node == "n2":
                raise KeyboardInterrupt
            return super().create(wanted)

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(), tmp_path, "n1", "n2")
    assert load_machines(tmp_path).keys() == {"n1"}


def test_a_machine_made_anew_gets_its_new_key(tmp_path: Path) -> None:
    cloud = Memory()
    (tmp_path / "known_hosts").write_text("# mine\ngit.example.net ssh-ed25519 AAAA")
    run(cloud, tmp_path, "n1")
    before = (tmp_path / "known_hosts").read_text()
    del cloud.machines["n1"]
    run(cloud, tmp_path, "n1")
    after = (tmp_path / "known_hosts").read_text()
    assert key("i-1") in before
    assert key("i-1") not in after
    assert key("i-2") in after
    assert after.startswith("# mine\ngit.example.net ssh-ed25519 AAAA\n")
    assert json.loads((tmp_path / FILE).read_text())["machines"]["n1"]["id"] == "i-2"


def test_each_share_is_asked_for_its_own(tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    clouds: Sequence[Memory] = (Memory(), Memory(name="other"))
    surveys = survey([clouds[0].share("n1", "n3"), clouds[1].share("n2")])
    outcomes = Creation(Book(tmp_path), lambda event: None).run(surveys)
    assert [each.node for each in outcomes] == ["n1", "n3", "n2"]
    assert [sorted(cloud.made) for cloud in clouds] == [["n1", "n3"], ["n2"]]


def test_a_line_of_the_operators_is_as_good_as_a_key_from_the_provider(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text(f"n1.example.net {key('by hand')}\n")
    outcomes = run(Memory(keyless={"n1", "n2"}), tmp_path, "n1", "n2", wait=0.01)
    assert states(outcomes) == {"n1": "created", "n2": "failed"}
    assert outcomes["n2"].error is not None
    assert "known_hosts" in (outcomes["n2"].error.next or "")


def test_what_is_waited_for_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coreops.provision.create._QUIET", 0.0)
    said: list[Event] = []
    nodes = [f"n{number}" for number in range(8)]
    run(Memory(keyless=set(nodes)), tmp_path, *nodes, wait=0.3, emit=said)
    told = [each.text for each in said if isinstance(each, Notice) and each.text.startswith("waiting")]
    assert len(told) == 1, "not at every look"
    assert "for n0, n1, n2, n3, n4 and 3 more: it runs, but its host key is not known; where the provider" in told[0]


def test_a_machine_in_the_place_of_another_is_told_and_its_key_learned_anew(tmp_path: Path) -> None:
    cloud = Memory()
    run(cloud, tmp_path, "n1")
    cloud.machines["n1"] = Machine("n1", "i-asg", "running", {"private_ipv4": "192.0.2.1"}, {"scaling_group": "g"})
    known = load_machines(tmp_path)
    (seen,) = noted(survey([cloud.share("n1")]), known)
    assert [(each.action, each.why) for each in seen.changes] == [
        ("keep", "i-asg has taken the place of i-1 (scaling group g)")
    ]
    said: list[Event] = []
    assert states(run(cloud, tmp_path, "n1", emit=said)) == {"n1": "kept"}
    assert Notice("i-asg has taken the place of i-1, whose host keys are no longer in known_hosts", "n1") in said
    text = (tmp_path / "known_hosts").read_text()
    assert key("i-1") not in text
    assert key("i-asg") in text
    (seen,) = noted(survey([cloud.share("n1")]), load_machines(tmp_path))
    assert seen.changes[0].why == ""


def test_the_old_key_goes_even_if_the_new_one_cannot_be_learned(tmp_path: Path) -> None:
    cloud = Memory()
    run(cloud, tmp_path, "n1")
    cloud.machines["n1"] = Machine("n1", "i-new", "running", {"private_ipv4": "192.0.2.1"})
    cloud.keyless = {"n1"}
    assert states(run(cloud, tmp_path, "n1", wait=0.01)) == {"n1": "failed"}
    assert key("i-1") not in (tmp_path / "known_hosts").read_text()
