"""The section [X-Fleet]: what fleet took, and what it refused."""

from __future__ import annotations

import pytest

from coreops.errors import InputError
from coreops.units import fleet, names
from coreops.units.placement import Wish
from coreops.units.unit_file import parse


def read(body: str, name: str = "web@2.service") -> Wish:
    file = parse(f"[Service]\nExecStart=/bin/true\n[X-Fleet]\n{body}", "web@.service")
    return fleet.wish(file, names.read(name))


def test_everything_at_once() -> None:
    assert read(
        'Conflicts=%p@*.service db.service\nMachineMetadata="zone=a" "disk=ssd"\nMachineMetadata=zone=b'
    ) == Wish(
        name="web@2.service",
        conflicts=("web@*.service", "db.service"),
        metadata={"zone": frozenset("ab"), "disk": frozenset(["ssd"])},
    )
    assert read("MachineOf=data-%i.service\nMachineOf=data-%i.service").machine_of == ("data-2.service",)
    assert read("Replaces=web@1.service").replaces == ("web@1.service",)


def test_the_first_machine_and_the_last_global_win() -> None:
    assert read("MachineID=aa\nMachineID=bb").machine_id == "aa"
    assert read("X-ConditionMachineID=old\nMachineID=new").machine_id == "new"
    assert read("X-ConditionMachineBootID=boot").machine_id == "boot"
    assert read("Global=yes\nGlobal=no").everywhere is False
    assert all(read(f"Global={word}").everywhere for word in ("true", "YES", "1", "on", "T"))
    assert not any(read(f"Global={word}").everywhere for word in ("", "false", "No", "0", "off", "f"))


def test_the_old_spellings() -> None:
    old = "X-Conflicts=a.service\nX-ConditionMachineMetadata=zone=a\nX-ConditionMachineOf=b.service"
    assert read(old) == Wish(
        name="web@2.service",
        conflicts=("a.service",),
        metadata={"zone": frozenset("a")},
        machine_of=("b.service",),
    )


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ("Conflict=a", 4, "did you mean 'Conflicts'?"),
        ("MachineID=a\nMachineOf=b.service", 5, "MachineID cannot be used with MachineOf"),
        ("Conflicts=a\nMachineID=b", 5, "MachineID cannot be used with Conflicts"),
        ("MachineID=a\nGlobal=true", 5, "MachineID cannot be used with Global"),
        ("MachineID=a\nReplaces=b", 5, "MachineID cannot be used with Replaces"),
        ("Global=true\nMachineOf=a.service", 5, "Global cannot be used with MachineOf"),
        ("Global=true\nReplaces=a", 5, "Global cannot be used with Replaces"),
        ("Conflicts=a\nReplaces=b", 5, "Conflicts cannot be used with Replaces"),
        ("MachineOf=a.service\nConflicts=*.service", 5, "contradict each other"),
        ("MachineOf=a.service\nReplaces=a.*", 5, "contradict each other"),
        ("MachineOf=web@2.service", 4, "the unit itself"),
        ("MachineOf=a.service b.service", 4, "one MachineOf= for each"),
        ("MachineOf=data", 4, "not the name of a unit"),
        ("MachineMetadata=zone", 4, "not key=value"),
        ("MachineMetadata=a=b c=d", 4, 'MachineMetadata="a=b" "c=d"'),
        ("MachineID=", 4, "MachineID is empty"),
        ('MachineMetadata="a=b" "c', 4, "not key=value"),
        ("Conflicts=web[", 4, "not a pattern"),
        ("Global=no\nGlobal=y", 5, "neither yes nor no: 'y'"),
    ],
)
def test_what_is_refused_and_where(body: str, line: int, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(body)
    assert said in str(caught.value)
    assert str(caught.value.where).startswith(f"web@.service:{line}")


def test_of_a_unit_that_was_taken_before_no_more_is_asked() -> None:
    file = parse("[X-Fleet]\nGlobal=y\n", "a.service")
    assert not fleet.wish(file, names.read("a.service"), new=False).everywhere


def test_global_false_goes_with_anything() -> None:
    assert read("Global=false\nMachineID=a").machine_id == "a"
