"""The plan that is the same for every provider, and providers by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import CoreopsError, InputError
from coreops.model import Position
from coreops.providers import planning, registry
from coreops.providers.protocol import Machine, MachineState, Wanted, mark

HERE = Position("hosts.yml", 2)
WANTED = Wanted("n1", "c", b"new", {}, HERE)


@pytest.mark.parametrize(
    ("state", "facts", "action", "why"),
    [
        ("running", {}, "keep", ""),
        ("pending", {"type": "small"}, "keep", ""),
        ("running", {"type": "small", "user_data": "new"}, "keep", ""),
        ("running", {"type": "small", "user_data": "old"}, "keep", planning.FOR_NEW_ONES),
        ("running", {"type": "large", "zone": "b"}, "replace", "type is large, wanted small; zone is b, wanted a"),
        ("stopped", {"type": "large"}, "replace", "type is large, wanted small"),
        ("stopped", {"colour": "red"}, "start", "i-1 is stopped"),
    ],
)
def test_one_machine(state: MachineState, facts: dict[str, str], action: str, why: str) -> None:
    wanted = {"type": "small", "zone": "a", "user_data": "new"}
    found = [Machine("n1", "i-1", state, {}, facts)]
    (change,) = planning.plan([WANTED], found, lambda each: wanted, lambda *told: (told[0],))
    assert (change.action, change.why, change.calls) == (action, why, (action,))


def test_marks_are_digests_that_do_not_run_into_each_other() -> None:
    assert mark("a", "bc") != mark("ab", "c")
    assert len(mark("c", "n1")) == 40


def test_an_unknown_provider() -> None:
    with pytest.raises(InputError, match="did you mean 'command'"):
        registry.find("comand", HERE)
    with pytest.raises(InputError, match=r"hosts\.yml:2: there is no provider 3"):
        registry.find(3, HERE)


@pytest.mark.parametrize("name", registry.PROVIDERS)
def test_every_record_names_itself(name: str) -> None:
    record = registry.find(name, HERE)
    assert record.name == name
    assert all(each.startswith(f"{name}_") for each in record.splits)


def test_static_machines_are_kept_and_never_touched() -> None:
    static = registry.connect(registry.find("static", HERE), registry.Opening("c", Path(), {}, HERE))
    (change,) = static.plan([WANTED], ())
    assert (change.action, change.calls) == ("keep", ())
    assert static.observe("c") == ()
    machine = Machine("n1", "n1", "running")
    assert static.host_keys(machine) == ()
    for touch in (
        lambda: static.create(WANTED),
        lambda: static.destroy(machine),
        lambda: static.power(machine, "off"),
        lambda: static.console(machine),
    ):
        with pytest.raises(CoreopsError, match="not coreops's"):
            touch()
