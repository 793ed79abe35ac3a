"""The API's talks through real sh and curl, over a unix socket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coreops.errors import HostFailed
from coreops.schedulers.fleet.api import Api
from coreops.schedulers.fleet.wire import Option
from coreops.schedulers.protocol import Elsewhere
from tests.schedulers.fleet.conftest import Node
from tests.schedulers.fleet.model import Fleet, Job, Machine

SLEEP = (Option("Service", "ExecStart", "/bin/sleep inf"),)
HOSTILE = '/bin/sh -c \'echo "$(id)" `id` ; \\x20 %i * ? [a] # é ☃ <&>\t"\''


@pytest.mark.parametrize("number", [0, 1, 10, 20, 25])
def test_all_pages_are_read(node: Node, number: int) -> None:
    node.service.limit = 10
    for each in range(number):
        name = f"u{each:02}.service"
        node.fleet.jobs[name] = Job(name, [{"section": "Service", "name": "A", "value": str(each)}])
    found = node.hold(node.api.everything)
    assert [unit.name for unit in found.units] == sorted(node.fleet.jobs)
    assert found.machines == found.states == ()
    assert node.hold(node.api.units) == found.units


def test_a_unit_from_its_beginning_to_its_end(node: Node) -> None:
    node.fleet.machines["a1"] = Machine("a1", "10.0.0.1", {"coreops-host": "n1"})
    assert node.hold(node.api.unit("web.service")) is None
    assert node.hold(node.api.put_unit("web.service", SLEEP, "launched"))
    assert not node.hold(node.api.put_unit("web.service", SLEEP, "launched"))
    node.fleet.tick()
    found = node.hold(node.api.unit("web.service"))
    assert found is not None
    assert (found.desired, found.current, found.machine, found.options) == ("launched", "launched", "a1", SLEEP)
    (state,) = node.hold(node.api.states(machine="a1", unit="web.service"))
    assert (state.unit, state.machine, state.active) == ("web.service", "a1", "active")
    assert node.hold(node.api.states(machine="b2")) == ()
    assert node.hold(node.api.set_desired("web.service", "inactive"))
    assert not node.hold(node.api.set_desired("web.service", "inactive"))
    other = (Option("Service", "ExecStart", "/bin/true"),)
    assert node.hold(node.api.put_unit("web.service", other, "inactive"))
    assert node.hold(node.api.unit("web.service")).options == other  # type: ignore[union-attr]
    assert node.hold(node.api.delete_unit("web.service"))
    assert not node.hold(node.api.delete_unit("web.service"))


def test_a_fleet_that_cannot_change_units_gets_them_anew(node: Node) -> None:
    node.fleet.old = True
    node.hold(node.api.put_unit("web.service", SLEEP, "launched"))
    other = (Option("Service", "ExecStart", "/bin/true"),)
    assert node.hold(node.api.put_unit("web.service", other, "loaded"))
    found = node.hold(node.api.unit("web.service"))
    assert found is not None
    assert (found.options, found.desired) == (other, "loaded")


def test_values_arrive_as_they_are(node: Node) -> None:
    options = (Option("Unit", "Description", HOSTILE), Option("Service", "ExecStart", HOSTILE))
    name = r"-we\x2db:1@a\b.service"
    node.hold(node.api.put_unit(name, options, "inactive"))
    found = node.hold(node.api.unit(name))
    assert found is not None
    assert (found.name, found.options) == (name, options)


def test_metadata_has_the_shape_that_fleet_takes(node: Node) -> None:
    node.fleet.machines["a1"] = Machine("a1", metadata={"zone": "z1", "disk": "ssd"})
    node.hold(node.api.patch_metadata("a1", {"zone": None, "rack": "'r 7'"}))
    (machine,) = node.hold(node.api.machines())
    assert machine.metadata == {"disk": "ssd", "rack": "'r 7'"}
    sent = json.loads(next(body for method, _, body in node.service.seen if method == "PATCH"))
    assert sent[1] == {"op": "add", "path": "/a1/metadata/rack", "value": {"value": "'r 7'"}}


def test_a_unit_that_is_not_there_cannot_be_set(node: Node) -> None:
    with pytest.raises(HostFailed, match=r"no unit web\.service"):
        node.hold(node.api.set_desired("web.service", "launched"))


def test_fleets_own_words_are_told(node: Node) -> None:
    options = (Option("X-Fleet", "Global", "true"), Option("X-Fleet", "MachineID", "abc"))
    with pytest.raises(HostFailed) as caught:
        node.hold(node.api.put_unit("web.service", options, "launched"))
    assert caught.value.why == "fleet says: MachineID cannot be used with Global"
    with pytest.raises(HostFailed, match=r"invalid\.kind"):
        node.hold(node.api.put_unit("invalid.kind", SLEEP, "launched"))


def test_a_fleetd_without_etcd_is_asked_again_then_another_is(node: Node) -> None:
    node.service.down = True
    with pytest.raises(Elsewhere, match="unable to communicate with etcd"):
        node.hold(node.api.machines())
    assert len(node.pauses) == 4


def test_a_node_without_fleetd_sends_elsewhere(node: Node, tmp_path: Path) -> None:
    with pytest.raises(Elsewhere, match="there is no socket"):
        node.hold(Api(str(tmp_path / "nothing")).machines())


def test_the_model_forgets_nothing_of_the_merge_of_metadata() -> None:
    fleet = Fleet()
    machine = fleet.machines["a"] = Machine("a", metadata={"x": "1", "y": "2"})
    fleet.dynamic["a"] = {"x": "", "z": "3"}
    assert fleet.metadata(machine) == {"y": "2", "z": "3"}
