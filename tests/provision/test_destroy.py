"""Machines are removed, looked for again, and forgotten only when they are gone."""

from __future__ import annotations

from pathlib import Path

from coreops.inventory.machines import FILE, load_machines
from coreops.provision.book import Book
from coreops.provision.create import Creation
from coreops.provision.destroy import Doomed, destroy
from coreops.provision.outcome import Outcome
from coreops.provision.survey import survey
from tests.provision.cloud import Memory


def made(cloud: Memory, base: Path, *nodes: str) -> list[Doomed]:
    (base / FILE).parent.mkdir()
    share = cloud.share(*nodes)
    Creation(Book(base), lambda event: None).run(survey([share]))
    return [Doomed(share, cloud.machines[node]) for node in nodes]


def removed(doomed: list[Doomed], base: Path, wait: float = 0.01) -> dict[str, Outcome]:
    return {each.node: each for each in destroy(doomed, Book(base), lambda event: None, wait=wait)}


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    cloud = Memory()
    doomed = made(cloud, tmp_path, "n1", "n2")
    outcomes = removed(doomed[:1], tmp_path)
    assert outcomes["n1"].state == "destroyed"
    assert load_machines(tmp_path).keys() == cloud.machines.keys() == {"n2"}
    assert len((tmp_path / "known_hosts").read_text().splitlines()) == 1


def test_what_is_not_gone_is_told_and_not_forgotten(tmp_path: Path) -> None:
    cloud = Memory(refused=set(), stubborn={"n2"})
    doomed = made(cloud, tmp_path, "n1", "n2", "n3")
    cloud.refused = {"n1"}
    outcomes = removed(doomed, tmp_path)
    assert {node: each.state for node, each in outcomes.items()} == {"n1": "failed", "n2": "failed", "n3": "destroyed"}
    assert outcomes["n1"].error is not None
    assert outcomes["n1"].error.why == "it is protected"
    assert outcomes["n2"].error is not None
    assert "still there" in outcomes["n2"].error.what
    assert load_machines(tmp_path).keys() == {"n1", "n2"}


def test_nobody_can_say_whether_it_is_gone(tmp_path: Path) -> None:
    cloud = Memory()
    doomed = made(cloud, tmp_path, "n1")
    cloud.deaf = True
    outcomes = removed(doomed, tmp_path)
    assert outcomes["n1"].error is not None
    assert outcomes["n1"].error.why == "throttled"
    assert load_machines(tmp_path).keys() == {"n1"}


def test_nothing_to_do(tmp_path: Path) -> None:
    assert removed([], tmp_path) == {}
