"""The toy keeps the rules of the conformance suite, and each rule that it breaks is noticed by the suite."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from coreops.errors import HostFailed, RefusedError
from coreops.model import ShellStep
from coreops.schedulers.protocol import Cluster, Mark, Move, Node, Pause, Seen, Settled, Talk, Workload
from tests.schedulers.conformance import SchedulerConformance
from tests.schedulers.toy import BEFORE, BY_OPERATOR, SECRET, TOKEN, Toy, ToyWorld


class TestToy(SchedulerConformance):
    @pytest.fixture
    def worlds(self) -> Callable[[], ToyWorld]:
        return ToyWorld


class InTwoWrites(Toy):
    """Closes the node, then remembers."""

    def _write(self, host: str, version: int, availability: str, labels: Mapping[str, str]) -> Talk[bool]:
        kept = {key: value for key, value in labels.items() if key == TOKEN}
        if availability != "active" and kept != labels:
            if not (yield from super()._write(host, version, availability, kept)):
                return False
            version += 1
        return (yield from super()._write(host, version, availability, labels))


class EndsWithThePlan(Toy):
    def drain(self, host: str, mark: Mark) -> Talk[None]:
        yield from self._change(host, mark, "drain")


class Kills(Toy):
    def drain(self, host: str, mark: Mark) -> Talk[None]:
        yield from self._change(host, mark, "drain")
        yield from self._do("kill", name=host)


class DrainsOnlyWhatItCordoned(Toy):
    def drain(self, host: str, mark: Mark) -> Talk[None]:
        nodes = yield from self.nodes()
        if any(node.host == host and node.cordoned == mark.by for node in nodes):
            yield from super().drain(host, mark)


class UndoesEverything(Toy):
    def _wanted(self, node: Mapping[str, Any], mark: Mark, wanted: str) -> tuple[str, dict[str, str]]:
        if wanted == "active":
            return "active", {TOKEN: str(max(mark.token, int(node["labels"].get(TOKEN, 0))))}
        return super()._wanted(node, mark, wanted)


class OverwritesTheOperator(Toy):
    def _wanted(self, node: Mapping[str, Any], mark: Mark, wanted: str) -> tuple[str, dict[str, str]]:
        to, labels = super()._wanted(node, mark, wanted)
        if mark.by == "upgrade" and wanted != "active" and labels.pop(BY_OPERATOR, None):
            labels[BEFORE] = "active"
        return to, labels


class MissesTheOperator(Toy):
    """Who cordons what an upgrade has cordoned changes nothing."""

    def _wanted(self, node: Mapping[str, Any], mark: Mark, wanted: str) -> tuple[str, dict[str, str]]:
        if mark.by == "operator" and wanted == "pause" and BEFORE in node["labels"]:
            return node["availability"], node["labels"]
        return super()._wanted(node, mark, wanted)


class RemembersAnew(Toy):
    """A second cordon takes the first one's work for somebody else's."""

    def _wanted(self, node: Mapping[str, Any], mark: Mark, wanted: str) -> tuple[str, dict[str, str]]:
        to, labels = super()._wanted(node, mark, wanted)
        if mark.by == "upgrade" and wanted != "active":
            labels[BEFORE] = node["availability"]
        return to, labels


class IsNotFenced(Toy):
    def _change(self, host: str, mark: Mark, availability: str) -> Talk[None]:
        yield from super()._change(host, Mark(by=mark.by, token=max(mark.token, 1000)), availability)


class ForgetsTheToken(Toy):
    def _wanted(self, node: Mapping[str, Any], mark: Mark, wanted: str) -> tuple[str, dict[str, str]]:
        to, labels = super()._wanted(node, mark, wanted)
        if wanted == "active":
            labels.pop(TOKEN, None)
        return to, labels


class FencesTheOperator(Toy):
    def _change(self, host: str, mark: Mark, availability: str) -> Talk[None]:
        yield from super()._change(
            host, Mark(by="upgrade", token=mark.token) if mark.token == 0 else mark, availability
        )


class RemovesTheLiving(Toy):
    def remove(self, host: str) -> Talk[None]:
        yield from self._do("remove", name=host)


class RemovesOnce(Toy):
    def remove(self, host: str) -> Talk[None]:
        found = yield from self._do("list")
        if found["nodes"].get(host, {}).get("state") == "ready":
            raise RefusedError(f"{host} still runs")
        yield from self._do("remove", name=host)


class SeesNoDeath(Toy):
    def nodes(self) -> Talk[tuple[Node, ...]]:
        return tuple(_ready(node) for node in (yield from super().nodes()))


class ForgetsANode(Toy):
    def nodes(self) -> Talk[tuple[Node, ...]]:
        return (yield from super().nodes())[:-1]


class CountsPlans(Toy):
    """A task that was told to stop is as good as gone."""

    def drained(self, host: str) -> Talk[tuple[str, ...]]:
        found = yield from self._do("list")
        return tuple(each["id"] for each in found["tasks"] if each["host"] == host and not each["told"])


class NamesNothing(Toy):
    def drain(self, host: str, mark: Mark) -> Talk[None]:
        yield from self._change(host, mark, "drain")
        while (yield from self.drained(host)):
            yield Pause(("some tasks",))


class SaysNothing(Toy):
    def drain(self, host: str, mark: Mark) -> Talk[None]:
        yield from self._change(host, mark, "drain")
        while (yield from self.drained(host)):
            yield Pause(())


class LosesWork(Toy):
    def workloads(self) -> Talk[tuple[Workload, ...]]:
        return (yield from super().workloads())[1:]


class NeverSettles(Toy):
    def decide(self, seen: Mapping[str, Seen]) -> Move | Settled:
        return Move(title="look again")


class AsksWorkers(Toy):
    def where(self, host: str) -> tuple[str, ...]:
        return (*super().where(host), host)


class AsksNobody(Toy):
    def where(self, host: str) -> tuple[str, ...]:
        return () if host == "m1" else super().where(host)


class TellsInTheScript(Toy):
    def _step(self, op: str, **wish: Any) -> ShellStep:
        step = super()._step(op, **wish)
        return ShellStep(id=step.id, title=step.title, act=f"toy --token {SECRET}", env=step.env)


class TellsTheNewSecret(Toy):
    def rotate(self) -> Talk[tuple[str, ...]]:
        return (f"{(yield from super().rotate())[0]} {SECRET}",)


class TellsInAnError(Toy):
    def remove(self, host: str) -> Talk[None]:
        try:
            yield from super().remove(host)
        except RefusedError as error:
            raise RefusedError(f"{host} still runs", why=f"token {SECRET} is in use") from error


class FailsWhenItHasNothingToDo(Toy):
    def uncordon(self, host: str, mark: Mark) -> Talk[None]:
        nodes = yield from self.nodes()
        if not any(node.host == host and node.cordoned for node in nodes):
            raise HostFailed("the node is not cordoned")
        yield from super().uncordon(host, mark)


def _ready(node: Node) -> Node:
    from dataclasses import replace

    return replace(node, state="ready")


MUTANTS = [
    each for each in list(globals().values()) if inspect.isclass(each) and issubclass(each, Toy) and each is not Toy
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_rule_is_noticed(mutant: Callable[[Cluster], Toy]) -> None:
    assert any(not passes(test, arguments, mutant) for test, arguments in cases())


def test_the_toy_itself_passes_when_tried_the_same_way() -> None:
    failed = [test for test, arguments in cases() if not passes(test, arguments, Toy)]
    assert not failed


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """All tests of the suite, with each of their parameters."""
    for name, test in vars(SchedulerConformance).items():
        if not name.startswith("test_"):
            continue
        marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
        names = [mark.args[0] for mark in marks]
        for values in itertools.product(*(list(mark.args[1]) for mark in marks)):
            yield name, dict(zip(names, values, strict=True))


def passes(test: str, arguments: Mapping[str, Any], adapter: Callable[[Cluster], Toy]) -> bool:
    function = getattr(SchedulerConformance(), test)
    made = {"world": ToyWorld(adapter)} if "world" in inspect.signature(function).parameters else {
        "worlds": lambda: ToyWorld(adapter)
    }  # fmt: skip
    try:
        function(**made, **arguments)
    except (AssertionError, pytest.fail.Exception):
        return False
    return True
