"""Which machines a lab can have, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.providers.namespace import driver, lab, nspawn
from coreops.providers.namespace.lab import Lab
from coreops.providers.namespace.names import LabNames
from coreops.providers.namespace.plan import LabPlan
from coreops.providers.qemu import lab as qemu


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that may have labs, of which none is booted."""
    monkeypatch.setenv("COREOPS_LAB_STATE", str(tmp_path / "labs"))
    monkeypatch.setattr(lab, "require_linux_root", lambda: None)
    for each in (nspawn, qemu):
        monkeypatch.setattr(each, "require_programs", lambda **_: None)
    return tmp_path


def test_the_usual_firmware_comes_first() -> None:
    assert driver.check("namespace", None) == "gptprio"
    assert driver.check("qemu", None) == "uefi"
    assert driver.check("qemu", "gptprio") == "gptprio"


@pytest.mark.parametrize("name", driver.FIRMWARES)
def test_a_driver_has_all_that_a_lab_asks_for(name: str) -> None:
    found = driver.of(name)
    wanted = [each for each in vars(driver.Driver) if not each.startswith("_")]
    assert [each for each in wanted if not hasattr(found, each)] == []
    assert set(found.ACTIONS) == set(nspawn.ACTIONS)


@pytest.mark.parametrize(
    ("name", "firmware", "message"),
    [
        ("qmu", None, "did you mean 'qemu'"),
        ("namespace", "uefi", "or --driver qemu"),
        ("qemu", "bios", "use uefi or gptprio"),
    ],
)
def test_unknown_words(name: str, firmware: str | None, message: str) -> None:
    with pytest.raises(InputError) as caught:
        driver.check(name, firmware)
    assert message in str(caught.value)


@pytest.mark.parametrize("asked", [{"driver": "namespace"}, {"firmware": "gptprio"}])
def test_nodes_do_not_change_what_they_are(state: Path, asked: dict[str, str]) -> None:
    names = LabNames.of("vm")
    names.folder.mkdir(parents=True)
    plan = LabPlan("vm", "10.77.0.0/24", 1, "some-image", driver="qemu", firmware="uefi").grown(1)
    names.plan_file.write_text(plan.to_json())
    with pytest.raises(InputError, match=r"are qemu with uefi, and .* was asked for"):
        Lab.up("vm", inventory_folder=state / "i", **asked)  # type: ignore[arg-type]
    assert not (state / "i").exists()


def test_too_little_memory_or_disk_is_said_before_anything_is_made(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, what in (("_available_memory", "memory"), ("_free_space", "space below")):
        with monkeypatch.context() as machine:
            machine.setattr(qemu, name, lambda *_: 1500)
            qemu.require_room(LabNames.of("vm"), 1)
            with pytest.raises(InputError, match=f"too little {what}"):
                qemu.require_room(LabNames.of("vm"), 2)


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(qemu, "missing_packages", lambda programs: programs)
    with pytest.raises(InputError) as caught:
        qemu.require_programs(build=True)
    assert "qemu-system-x86" in str(caught.value.next)
    assert "mtools" in str(caught.value.next)
