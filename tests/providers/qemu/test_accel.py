"""Which accelerator is chosen, and that finding out is a real boot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coreops.events import Event, Notice
from coreops.providers.qemu import accel
from tests.providers.qemu.conftest import needs_qemu


def test_the_sector_is_one_that_a_bios_boots() -> None:
    assert len(accel.sector()) == 512
    assert accel.sector().endswith(b"\x55\xaa")


@needs_qemu
def test_the_sector_ends_a_guest_that_works() -> None:
    assert accel.tried(accel.TCG, longest=30.0) is None


@needs_qemu
def test_a_guest_that_never_ends_and_one_that_cannot_begin_are_told() -> None:
    assert "not done within 0.001 s" in (accel.tried(accel.TCG, longest=0.001) or "")
    assert "no-such" in (accel.tried("no-such") or "")


def test_without_a_device_it_is_emulation_said_once(tmp_path: Path) -> None:
    said: list[Event] = []
    for _ in range(2):
        assert accel.choose(tmp_path / "new" / "accel.json", said.append, tmp_path / "none") == accel.TCG
    (notice,) = said
    assert isinstance(notice, Notice)
    assert "cannot be opened" in notice.text


@pytest.mark.parametrize("why", ["", "it hangs"])
def test_what_was_found_out_holds_until_the_next_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    cache, tries = tmp_path / "accel.json", []
    (tmp_path / "kvm").touch()

    def tried(name: str) -> str | None:
        tries.append(name)
        return why or None

    monkeypatch.setattr(accel, "tried", tried)
    wanted = accel.TCG if why else accel.KVM
    for _ in range(2):
        assert accel.choose(cache, lambda event: None, tmp_path / "kvm") == wanted
    assert tries == ["kvm"]
    cache.write_text(json.dumps({**json.loads(cache.read_text()), "boot": "another"}))
    assert accel.choose(cache, lambda event: None, tmp_path / "kvm") == wanted
    cache.write_text("half a")
    assert accel.choose(cache, lambda event: None, tmp_path / "kvm") == wanted
    assert tries == ["kvm"] * 3
