"""The fake fleetd answers as fleet 1.0.0 does: exchanges out of fleet's own tests (api/machines_test.go,
api/units_test.go, api/state_test.go, api/pagination_test.go), with the name of the test that each comes from.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.schedulers.fleet.model import Fleet, Job, Machine
from tests.schedulers.fleet.service import Refused, Service, decode_token, token, validate_name, validate_options

JSON = {"Content-Type": "application/json"}


def machines() -> Service:
    """fakeMachinesSetup"""
    fleet = Fleet()
    fleet.machines = {"XXX": Machine("XXX"), "YYY": Machine("YYY", "1.2.3.4", {"ping": "pong"})}
    return Service(fleet)


def units(**states: str) -> Service:
    fleet = Fleet()
    options = [{"section": "Service", "name": "Foo", "value": "Bar"}]
    for name, state in states.items():
        name = f"{name}.service"
        fleet.jobs[name] = Job(name, options, state)
    return Service(fleet)


def ask(
    service: Service, method: str, path: str, body: Any = None, headers: dict[str, str] = JSON
) -> tuple[int, bytes]:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return service.handle(method, f"/fleet/v1{path}", headers, data)


def test_machines_list() -> None:
    """TestMachinesList"""
    expected = b'{"machines":[{"id":"XXX"},{"id":"YYY","metadata":{"ping":"pong"},"primaryIP":"1.2.3.4"}]}'
    assert ask(machines(), "GET", "/machines") == (200, expected)


@pytest.mark.parametrize("resource", ["machines", "units", "state"])
def test_a_token_of_another_limit(resource: str) -> None:
    """TestMachinesListBadNextPageToken, TestUnitsListBadNextPageToken, TestUnitStateListBadNextPageToken"""
    status, body = ask(machines(), "GET", f"/{resource}?nextPageToken=EwBMLg==")
    assert status == 400
    assert json.loads(body)["error"]["code"] == 400


def test_machines_patch_add_modify() -> None:
    """TestMachinesPatchAddModify"""
    service = machines()
    body = b"""
	[{"op": "add", "path": "/XXX/metadata/foo", "value": { "value": "bar" }},
	{"op": "replace", "path": "/YYY/metadata/ping", "value": { "value": "splat" }}]
	"""
    assert ask(service, "PATCH", "/machines", body)[0] == 204
    expected = (
        b'{"machines":[{"id":"XXX","metadata":{"foo":"bar"}},'
        b'{"id":"YYY","metadata":{"ping":"splat"},"primaryIP":"1.2.3.4"}]}'
    )
    assert ask(service, "GET", "/machines") == (200, expected)


def test_machines_patch_delete() -> None:
    """TestMachinesPatchDelete"""
    service = machines()
    body = b'[{"op": "remove", "path": "/XXX/metadata/foo"}, {"op": "remove", "path": "/YYY/metadata/ping"}]'
    assert ask(service, "PATCH", "/machines", body)[0] == 204
    expected = b'{"machines":[{"id":"XXX"},{"id":"YYY","primaryIP":"1.2.3.4"}]}'
    assert ask(service, "GET", "/machines") == (200, expected)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('[{"op": "noop", "path": "/XXX/metadata/foo", "value": { "value": "bar" }}]', id="BadOp"),
        pytest.param('[{"op": "add", "path": "/XXX/foo", "value": { "value": "bar" }}]', id="BadPath"),
        pytest.param('[{"op": "add", "path": "/XXX/foo"}]', id="BadValue"),
    ],
)
def test_machines_patch_bad(body: str) -> None:
    """TestMachinesPatchBadOp, TestMachinesPatchBadPath, TestMachinesPatchBadValue"""
    assert ask(machines(), "PATCH", "/machines", body.encode())[0] == 400


def test_units_list() -> None:
    """TestUnitsList"""
    status, body = ask(units(XXX="inactive", YYY="inactive"), "GET", "/units")
    assert status == 200
    assert [unit["name"] for unit in json.loads(body)["units"]] == ["XXX.service", "YYY.service"]


def test_unit_get() -> None:
    """TestUnitGet, TestUnitsSubResourceNotFound"""
    service = units(XXX="inactive")
    assert ask(service, "GET", "/units/XXX.service")[0] == 200
    assert ask(service, "GET", "/units/ZZZ")[0] == 404
    assert ask(service, "GET", "/units/foo/bar")[0] == 404


def test_units_destroy() -> None:
    """TestUnitsDestroy"""
    service = units(XXX="inactive")
    assert ask(service, "DELETE", "/units/YYY.service")[0] == 404
    assert ask(service, "DELETE", "/units/XXX.service") == (204, b"")
    assert service.fleet.jobs == {}


BAZ = [{"section": "Service", "name": "Foo", "value": "Baz"}]


@pytest.mark.parametrize(
    ("before", "item", "body", "status", "after"),
    [
        ({"XXX": "inactive"}, "XXX", {"name": "XXX.service", "desiredState": "launched"}, 204, {"XXX": "launched"}),
        ({}, "YYY", {"name": "YYY.service", "desiredState": "loaded", "options": BAZ}, 201, {"YYY": "loaded"}),
        ({}, "YYY", {"name": "YYY.service", "desiredState": "loaded", "options": []}, 409, {}),
        (
            {"XXX": "inactive", "YYY": "inactive"},
            "XXX",
            {"name": "YYY.service", "desiredState": "loaded"},
            400,
            {"XXX": "inactive", "YYY": "inactive"},
        ),
        (
            {"XXX": "inactive", "YYY": "inactive"},
            "XXX",
            {"desiredState": "loaded"},
            204,
            {"XXX": "loaded", "YYY": "inactive"},
        ),
        ({"XXX@": "inactive"}, "XXX@", {"desiredState": "launched"}, 400, {"XXX@": "inactive"}),
    ],
)
def test_units_set_desired_state(
    before: dict[str, str], item: str, body: Any, status: int, after: dict[str, str]
) -> None:
    """TestUnitsSetDesiredState, case by case"""
    service = units(**before)
    assert ask(service, "PUT", f"/units/{item}.service", body)[0] == status
    assert {name: job.target_state for name, job in service.fleet.jobs.items()} == {
        f"{name}.service": state for name, state in after.items()
    }


def test_units_set_bad_content_type() -> None:
    """TestUnitsSetDesiredStateBadContentType"""
    assert ask(units(), "PUT", "/units/foo.service", {"foo": "bar"}, {"Content-Type": "application/xml"})[0] == 415


CONFLICT, REPLACE, PEER, ID, GLOBAL = "Conflicts", "Replaces", "MachineOf", "MachineID", "Global"


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        ([], True),
        ([(CONFLICT, "foo.service"), (CONFLICT, "bar.service")], True),
        ([(CONFLICT, "foo.service"), (PEER, "bar.service")], True),
        ([(CONFLICT, "b*e"), (PEER, "foo.service")], True),
        ([(CONFLICT, "foo.service"), (PEER, "foo.service")], False),
        ([(CONFLICT, "foo.service"), (CONFLICT, "bar.service"), (PEER, "bar.service")], False),
        ([(CONFLICT, "b*e"), (PEER, "bar.service")], False),
        ([(REPLACE, "foo.service"), (REPLACE, "bar.service")], True),
        ([(REPLACE, "foo.service"), (PEER, "bar.service")], True),
        ([(REPLACE, "foo.service"), (CONFLICT, "bar.service")], False),
        ([(REPLACE, "foo.service"), (REPLACE, "bar.service"), (PEER, "bar.service")], False),
        ([(ID, "abcdefghi")], True),
        ([(ID, "abcdefghi"), (PEER, "foo.service")], False),
        ([(ID, "abcdefghi"), (CONFLICT, "bar.service")], False),
        ([(ID, "abcdefghi"), (REPLACE, "bar.service")], False),
        ([(GLOBAL, "true")], True),
        ([(GLOBAL, "true"), (CONFLICT, "foo.service")], True),
        ([(GLOBAL, "true"), (PEER, "foo.service"), (PEER, "bar.service")], False),
        ([(GLOBAL, "true"), (ID, "abcdefghi")], False),
        ([(GLOBAL, "true"), (REPLACE, "foo.service")], False),
    ],
)
def test_validate_options(options: list[tuple[str, str]], valid: bool) -> None:
    """TestValidateOptions"""
    made = [{"section": "X-Fleet", "name": name, "value": value} for name, value in options]
    if valid:
        validate_options(made)
    else:
        with pytest.raises(Refused):
            validate_options(made)


GOOD = [
    "foo.service", "hello.mount", "foo@123.service", "foo@.service", "yo.yo.service", "hello@world.path",
    "hello:world.service", "yes@no\\.service", "foo-bar.mount", "jalapano_chips.service", "foo@1.socket", "foo@1.timer",
]  # fmt: skip
BAD = [
    "fooservice", "barmount", "bar@foo", "foo.", "foo.service.", "foo@foo.service.", "foo.bar", "hello.cerveza",
    "foo.servICE", "foo%.service", "foo$asd.service", "hello##.mount", "yes/no.service", "this+that.mount",
    "dog=woof@.mount", "@foo.service", "@this.mount", "foo@1.automount", "foo@1.device", "foo@1.mount", "foo@1.scope",
    "foo@1.slice", "foo@1.swap",
]  # fmt: skip


@pytest.mark.parametrize("name", [*GOOD, "0" * 248 + ".service"])
def test_validate_good_name(name: str) -> None:
    """TestValidateName"""
    validate_name(name)


@pytest.mark.parametrize("name", [*BAD, "", "0" * 249 + ".service"])
def test_validate_bad_name(name: str) -> None:
    """TestValidateName"""
    with pytest.raises(Refused):
        validate_name(name)


def test_unit_state_list() -> None:
    """TestUnitStateList"""
    fleet = Fleet()
    for id, cache in (("XXX", {"BBB": "inactive", "CCC": "active"}), ("YYY", {"CCC": "inactive"})):
        fleet.machines[id] = Machine(id, cache=dict.fromkeys(cache, "launched"), systemd=cache)
    service = Service(fleet)

    def found(query: str) -> list[tuple[str, str, str]]:
        page = json.loads(ask(service, "GET", f"/state{query}")[1])
        return [(each["name"], each["systemdActiveState"], each["machineID"]) for each in page.get("states", [])]

    two, three, four = ("BBB", "inactive", "XXX"), ("CCC", "active", "XXX"), ("CCC", "inactive", "YYY")
    assert found("") == [two, three, four]
    assert found("?unitName=CCC") == [three, four]
    assert found("?machineID=XXX") == [two, three]
    assert found("?unitName=CCC&machineID=XXX") == [three]
    assert found("?unitName=nope") == found("?machineID=nope") == []


@pytest.mark.parametrize(("limit", "page", "text"), [(12482, 0, "wjAAAA=="), (19, 11852, "EwBMLg==")])
def test_page_token_encode(limit: int, page: int, text: str) -> None:
    """TestPageTokenEncode"""
    assert token(limit, page) == text


def test_page_token_decode() -> None:
    """TestPageTokenDecode, TestFindNextPageToken, TestValidatePageToken"""
    assert decode_token("ZABMLg==", 100) == 11852
    for text, limit in (("basdfasdf", 100), ("", 100), ("LQAJAA==", 100), ("_wMAAA==", 1023)):
        with pytest.raises(Refused):
            decode_token(text, limit)
    assert ask(machines(), "GET", "/units?nextPageToken=ZAABAA==&nextPageToken=ZAABAA==")[0] == 400


@pytest.mark.parametrize(("number", "pages"), [(0, [0]), (99, [99]), (100, [100, 0]), (103, [100, 3])])
def test_pages(number: int, pages: list[int]) -> None:
    """TestExtractUnitPage (and that a last page that is full is followed by an empty one: extractUnitPageData)"""
    service = units(**{f"u{each}": "inactive" for each in range(number)})
    seen, query = [], ""
    while True:
        page = json.loads(ask(service, "GET", f"/units{query}")[1])
        seen.append(len(page.get("units", [])))
        if "nextPageToken" not in page:
            break
        query = f"?nextPageToken={page['nextPageToken']}"
    assert seen == pages
