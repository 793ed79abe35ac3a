"""The initramfs's gptprio decides as ``coreops.gptprio`` does, and writes nothing but the try it uses up."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.gptprio import Slot, choose
from coreops.providers.namespace import disk
from coreops.providers.namespace.gpt import format_attributes, parse_attributes
from coreops.providers.qemu import initramfs, recipe

SCRIPT = Path(initramfs.__file__).with_name("gptprio.sh")
UUIDS = {3: "7130C94A-213A-4E5A-8E26-6CCE9662F132", 4: "E03DD35C-7C2D-4A47-B3FE-27F15780A57C"}
TYPE = "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6"
# Of 64 attribute bits those that sfdisk can write and gptprio knows nothing of.
OTHER = st.sets(st.sampled_from([0, 1, 2, 57, 60, 63])).map(lambda bits: sum(1 << bit for bit in bits))

pytestmark = pytest.mark.skipif(
    not (shutil.which("busybox") and shutil.which("sfdisk")), reason="busybox or sfdisk is not installed"
)


def slots(number: int) -> st.SearchStrategy[Slot]:
    return st.builds(
        Slot, st.just(number), st.just(f"USR-{number}"), st.integers(0, 15), st.integers(0, 15), st.booleans(), OTHER
    )


def sh(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["busybox", "sh", "-c", f'. "$0"\n{script}', str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def dump(*table: Slot) -> str:
    """As sfdisk prints it."""
    lines = ["label: gpt", "sector-size: 512", "", '/dev/vda1 : start= 2048, size= 9, type=C12A7328, name="ESP"']
    for slot in table:
        attributes = format_attributes(slot.attributes)
        end = f', attrs="{attributes}"' if attributes else ""
        lines.append(
            f"/dev/vda{slot.number} : start= 9, size= 9, type={TYPE}, uuid={UUIDS[slot.number]}, "
            f'name="{slot.label}"{end}'
        )
    return "\n".join(lines) + "\n"


FAKE = """
table=$1
sfdisk() {
  if [ "$1" = --dump ]; then printf %s "$table"; else printf '%s|' "$@" >&3; fi
}
sync() { :; }
exec 3>&1
echo "=$(choose /dev/vda)"
"""


@settings(max_examples=40)
@given(slots(3), slots(4))
def test_it_chooses_by_the_rule_and_uses_up_one_try(first: Slot, second: Slot) -> None:
    said = sh(FAKE, dump(first, second)).stdout
    written, _, number = said.rpartition("=")
    choice = choose((first, second))
    assert number.strip() == (str(choice.slot.number) if choice else "")
    if choice is None or not choice.changed:
        assert written == ""
    else:
        *_, device, partition, attributes, end = written.split("|")
        assert (device, partition, end) == ("/dev/vda", str(choice.slot.number), "")
        assert parse_attributes(attributes) == choice.slot.attributes


def test_on_a_real_table(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with path.open("wb") as stream:
        stream.truncate(disk.size(recipe.LAYOUT) << 20)
    quiet = ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel"]
    subprocess.run([*quiet, str(path)], input=disk.sfdisk_script(recipe.LAYOUT), text=True, check=True)
    disk.write_slot(path, Slot(4, "USR-B", 2, 1, False, other=1 << 63))
    assert sh('slots "$1"', str(path)).stdout.splitlines() == [f"3 {UUIDS[3]} 1 0 1 x", f"4 {UUIDS[4]} 2 1 0 x,63"]
    assert [sh('choose "$1"', str(path)).stdout for _ in range(2)] == ["4\n", "3\n"]
    assert disk.read_slots(path)[1] == Slot(4, "USR-B", 2, 0, False, other=1 << 63)
    disk.write_slot(path, Slot(3, "USR-A", 0, 0, True))
    nothing = sh('choose "$1"', str(path))
    assert (nothing.returncode, nothing.stdout) == (1, "")
