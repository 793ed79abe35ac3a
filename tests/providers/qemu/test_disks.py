"""Which guest a machine gets, of which release."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.events import Emit
from coreops.providers.namespace.flavour import CLOUD_INIT, PLAIN, Flavour
from coreops.providers.qemu import disks
from coreops.providers.qemu.disks import Disks, boot
from coreops.providers.qemu.image import Image
from coreops.providers.qemu.settings import Settings


@pytest.fixture
def image(tmp_path: Path) -> Image:
    made = Image(tmp_path / "image")
    made.folder.mkdir()
    for file in (made.disk, made.ovmf_code, made.ovmf_vars, made.kernel, made.initrd_gptprio):
        file.write_text(file.name)
    return made


@pytest.mark.parametrize(("target", "flavour"), [("cloud-init", CLOUD_INIT), ("ignition", PLAIN)])
def test_the_guest_is_the_one_that_reads_the_user_data(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, flavour: Flavour
) -> None:
    asked: list[Flavour] = []

    def ensure(emit: Emit, flavour: Flavour) -> Image:
        asked.append(flavour)
        return image

    monkeypatch.setattr("coreops.providers.qemu.image.ensure", ensure)
    (tmp_path / "vm").mkdir()
    Disks().ensure(tmp_path / "vm", Settings.model_validate({"target": target}), None, lambda event: None)
    assert asked == [flavour]
    assert (tmp_path / "vm/disk.img").read_text() == "disk.img"


@pytest.mark.parametrize("firmware", ["uefi", "gptprio"])
def test_another_release_is_put_in_before_the_disk_counts(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, firmware: str
) -> None:
    settings = Settings.model_validate({"release": "1.1.0", "firmware": firmware})
    maker = Disks(image=lambda emit, target: image)
    vm = tmp_path / "vm"
    vm.mkdir()

    def fails(image: Image, release: str, disk: Path) -> None:
        raise OSError("no space")

    monkeypatch.setattr(disks, "put_release", fails)
    with pytest.raises(OSError, match="no space"):
        maker.ensure(vm, settings, None, lambda event: None)
    assert not (vm / "disk.img").exists()
    monkeypatch.setattr(disks, "put_release", lambda image, release, disk: disk.write_text(f"now {release}"))
    maker.ensure(vm, settings, None, lambda event: None)
    assert (vm / "disk.img").read_text() == "now 1.1.0"
    assert type(boot(vm)).__name__ == ("Uefi" if firmware == "uefi" else "Direct")
