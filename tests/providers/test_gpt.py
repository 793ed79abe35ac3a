"""The firmware's rule, as GRUB's gptprio has it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.providers.namespace import disk, gpt
from coreops.providers.namespace.gpt import Choice, Slot

slots = st.builds(
    Slot,
    number=st.integers(1, 128),
    label=st.just("USR"),
    priority=st.integers(0, 15),
    tries=st.integers(0, 15),
    successful=st.booleans(),
    other=st.integers(0, 2**48 - 1),
)


def usr(number: int, priority: int, tries: int, successful: int) -> Slot:
    return Slot(number, f"USR-{'AB'[number - 3]}", priority, tries, bool(successful))


@pytest.mark.parametrize(
    ("a", "b", "expected", "tries"),
    [
        ((1, 0, 1), (0, 0, 0), 3, 0),  # a fresh disk
        ((1, 0, 1), (2, 1, 0), 4, 0),  # a staged update: its only try is eaten
        ((1, 0, 1), (2, 0, 0), 3, 0),  # tried once, not marked good: fall back
        ((1, 0, 1), (2, 0, 1), 4, 0),  # marked good
        ((1, 0, 1), (1, 0, 1), 3, 0),  # equal: the lower number
        ((1, 2, 1), (0, 7, 1), 3, 1),  # priority 0 never boots; tries are eaten though successful
        ((15, 0, 0), (1, 3, 0), 4, 2),
    ],
)
def test_rule(a: tuple[int, int, int], b: tuple[int, int, int], expected: int, tries: int) -> None:
    choice = gpt.choose([usr(4, *b), usr(3, *a)])
    assert choice is not None
    assert (choice.slot.number, choice.slot.tries) == (expected, tries)


@pytest.mark.parametrize("bits", [(0, 0, 0), (0, 3, 1), (5, 0, 0)])
def test_nothing_to_boot(bits: tuple[int, int, int]) -> None:
    assert gpt.choose([usr(3, *bits)]) is None
    assert gpt.choose([]) is None


@given(st.lists(slots, max_size=6, unique_by=lambda slot: slot.number))
def test_the_chosen_slot_is_bootable_and_none_is_better(given_slots: list[Slot]) -> None:
    bootable = [slot for slot in given_slots if slot.priority and (slot.tries or slot.successful)]
    choice = gpt.choose(given_slots)
    if choice is None:
        assert not bootable
        return
    chosen = next(slot for slot in given_slots if slot.number == choice.slot.number)
    assert chosen in bootable
    assert all((slot.priority, -slot.number) <= (chosen.priority, -chosen.number) for slot in bootable)
    assert choice == Choice(chosen, False) or (choice.changed and choice.slot.tries == chosen.tries - 1)
    assert choice.slot.other == chosen.other


@given(st.lists(slots, min_size=1, max_size=4, unique_by=lambda slot: slot.number))
def test_without_success_every_try_is_used_up_at_last(given_slots: list[Slot]) -> None:
    disk_slots = {slot.number: Slot(slot.number, "USR", slot.priority, slot.tries, False) for slot in given_slots}
    boots = 0
    while choice := gpt.choose(disk_slots.values()):
        disk_slots[choice.slot.number] = choice.slot
        boots += 1
    assert boots == sum(slot.tries for slot in given_slots if slot.priority)


@given(slots)
def test_attributes_round_trip(slot: Slot) -> None:
    assert Slot.from_attributes(slot.number, slot.label, slot.attributes) == slot


@given(st.integers(0, 2**64 - 1))
def test_sfdisk_spelling_round_trips(attributes: int) -> None:
    assert gpt.parse_attributes(gpt.format_attributes(attributes)) == attributes


def test_known_bytes() -> None:
    assert usr(3, 1, 0, 1).attributes == 0x0101000000000000
    assert gpt.format_attributes(0x0101000000000000) == "GUID:48,56"


def test_table_of_sfdisk() -> None:
    table = json.loads(
        '{"partitiontable": {"partitions": ['
        '{"node": "/x/disk7.img1", "type": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "name": "EFI-SYSTEM"},'
        f'{{"node": "/dev/loop0p3", "type": "{gpt.SLOT_TYPE.upper()}", "name": "USR-A", "attrs": "GUID:48,56"}},'
        f'{{"node": "/x/disk7.img4", "type": "{gpt.SLOT_TYPE}", "name": "USR-B",'
        '"attrs": "RequiredPartition GUID:49,52"}'
        "]}}"
    )
    assert gpt.parse_table(table) == (usr(3, 1, 0, 1), Slot(4, "USR-B", 2, 1, False, other=1))


@pytest.mark.skipif(shutil.which("sfdisk") is None, reason="sfdisk (apt-get install fdisk) is not here")
def test_real_sfdisk_agrees(tmp_path: Path) -> None:
    image = tmp_path / "disk 1.img"
    with image.open("wb") as stream:
        stream.truncate(disk.size() * disk.MIB)
    disk.run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image)], input=disk.sfdisk_script())
    assert disk.read_slots(image) == (usr(3, 1, 0, 1), usr(4, 0, 0, 0))
    disk.write_slot(image, usr(4, 2, 1, 0))
    assert disk.read_slots(image)[1] == usr(4, 2, 1, 0)
    table = json.loads(disk.run(["sfdisk", "--json", str(image)]).stdout)["partitiontable"]["partitions"]
    assert [(row["name"], row["start"] // 2048) for row in table] == [
        (partition.label, disk.offset(partition.number)) for partition in disk.LAYOUT
    ]
