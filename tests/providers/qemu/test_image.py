"""What guest images are made of, without making one: recipe, seed, initramfs, kernel and entries."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import CoreopsError, InputError
from coreops.providers.namespace import disk
from coreops.providers.namespace.flavour import CLOUD_INIT, PLAIN
from coreops.providers.qemu import esp, image, initramfs, recipe, seed, uki

SLOT_A, SLOT_B = (part for part in recipe.LAYOUT if part.number in disk.SLOT_NUMBERS)
STUB_ROOM = 1024


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def stub() -> bytes:
    """A PE program of one section, as far as anybody reads it."""
    out = bytearray(STUB_ROOM)
    struct.pack_into("<I", out, 0x3C, 128)
    out[128:132] = b"PE\0\0"
    struct.pack_into("<HHIIIHH", out, 132, 0x8664, 1, 0, 0, 0, 240, 0)
    struct.pack_into("<II", out, 152 + 32, 512, 512)
    struct.pack_into("<II", out, 152 + 56, 0x5123, STUB_ROOM)
    struct.pack_into("<8sIIIIIIHHI", out, 392, b".text", 300, 0x4000, 512, STUB_ROOM, 0, 0, 0, 0, 0)
    return bytes(out) + b"code".ljust(512, b"\x90")


def sections(program: bytes) -> dict[str, bytes]:
    """What a loader would put into memory, by the rules of PE."""
    (header,) = struct.unpack_from("<I", program, 0x3C)
    (count,) = struct.unpack_from("<H", program, header + 6)
    (size,) = struct.unpack_from("<I", program, header + 24 + 56)
    found, end = {}, 0
    for number in range(count):
        name, length, address, raw, at, *_ = struct.unpack_from("<8sIIIIIIHHI", program, header + 264 + 40 * number)
        assert address >= end
        assert at % 512 == 0
        assert raw % 512 == 0
        assert at + raw <= len(program)
        end = address + length
        found[name.rstrip(b"\0").decode()] = program[at : at + min(length, raw)]
    assert size >= end
    return found


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_the_kernel_and_its_initramfs_are_found_in_the_program(kernel: bytes, initrd: bytes) -> None:
    found = sections(uki.build(stub(), kernel=kernel, initrd=initrd, os_release="ID=x\n"))
    assert found[".text"].startswith(b"code")
    assert (found[".linux"], found[".initrd"], found[".osrel"]) == (kernel, initrd, b"ID=x\n")
    assert ".cmdline" not in found  # else the loader entry's options would not count


@pytest.mark.parametrize("bad", [b"MZ" * 500, stub()[:128] + b"NE" + stub()[130:]])
def test_no_program_no_sections(bad: bytes) -> None:
    with pytest.raises(CoreopsError, match="PE program"):
        uki.add_sections(bad[:0x3C] + struct.pack("<I", 128) + bad[0x40:], {".x": b""})


def test_headers_do_not_overflow() -> None:
    with pytest.raises(CoreopsError, match="no room"):
        uki.add_sections(stub(), {f".s{number}": b"" for number in range(20)})


FILES = {"init": (0o755, b"#!/bin/sh\n"), "a/b/c": (0o644, bytes(range(256))), "a/empty": (0o600, b"")}


def test_the_kernel_could_unpack_the_initramfs(tmp_path: Path) -> None:
    packed = initramfs.cpio(FILES)
    assert packed == initramfs.cpio(dict(reversed(FILES.items())))
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed")
    subprocess.run([busybox, "cpio", "-i", "-d"], input=packed, cwd=tmp_path, check=True, capture_output=True)
    for name, (mode, content) in FILES.items():
        assert (tmp_path / name).read_bytes() == content
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o755


def test_modules_are_loaded_after_what_they_need() -> None:
    listed = "k/virtio-pci.ko: k/modern.ko k/ring.ko k/virtio.ko\nk/modern.ko:\nk/ring.ko: k/virtio.ko\nk/virtio.ko:\n"
    order = ("k/virtio.ko", "k/ring.ko", "k/modern.ko", "k/virtio-pci.ko")
    assert initramfs.load_order(listed, ["virtio_pci", "virtio"]) == order
    with pytest.raises(CoreopsError, match="no module nbd"):
        initramfs.load_order(listed, ["nbd"])


def test_a_seed_has_the_machine_id_last_and_gives_core_what_is_cores() -> None:
    files = {"home/core/.ssh/authorized_keys": (0o600, "kéy\n"), "etc/machine-id": (0o444, "1\n"), "z": (0o644, "")}
    with tarfile.open(fileobj=io.BytesIO(seed.pack(files))) as tar:
        members = tar.getmembers()
        assert [each.name for each in members] == [
            "home/core/.ssh",
            "home/core/.ssh/authorized_keys",
            "z",
            "etc/machine-id",
        ]
        assert [(each.mode, each.uid) for each in members[:3]] == [(0o700, 500), (0o600, 500), (0o644, 0)]
        content = tar.extractfile(members[1])
        assert content is not None
        assert content.read().decode() == "kéy\n"


def test_slots_of_a_guest_are_where_a_slot_driver_looks_and_kernels_fit() -> None:
    entry = esp.entry(SLOT_B, title="coreops lab 1.1.0", version=7)
    assert entry.splitlines()[:4] == [
        "title coreops lab 1.1.0",
        "version 7",
        "sort-key coreops",
        "linux /coreops/usr-b/vmlinuz",
    ]
    assert f"coreops.usr=PARTUUID={SLOT_B.uuid}" in entry
    assert "initrd" not in entry
    assert disk.size(recipe.LAYOUT) == disk.size() + 128 - 32
    assert disk.offset(3, recipe.LAYOUT) == disk.offset(3) + 96


def test_cloud_init_of_a_guest_looks_for_a_drive_and_sets_the_network() -> None:
    _, text = recipe.guest(CLOUD_INIT).files["etc/cloud/cloud.cfg.d/99_lab.cfg"]
    assert "fs_label" not in text
    assert "config: disabled" not in text
    assert "renderers: [networkd]" in text
    assert "cloud-init" in recipe.guest(CLOUD_INIT).packages
    assert "udev" in recipe.guest(PLAIN).packages


def test_the_name_in_the_cache_follows_all_that_goes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    before = image.current()
    assert image.current() == before != image.current(CLOUD_INIT)
    monkeypatch.setattr(esp, "CMDLINE", "other")
    changed = image.current()
    monkeypatch.setattr(initramfs, "scripts", lambda: {"init": (0o755, b"other")})
    assert len({before, changed, image.current()}) == 3


def test_a_guest_lacks_what_costs_time_and_keeps_what_a_lab_needs() -> None:
    guest = recipe.guest(CLOUD_INIT)
    assert {"user@.service", "modprobe@.service"} <= set(guest.masked)
    assert not {"ssh.service", "systemd-udevd.service", "systemd-logind.service"} & set(guest.masked)
    assert set(CLOUD_INIT.removed) <= set(guest.removed)
    kept = {"drivers/virtio", "drivers/block", "drivers/net", "fs/overlayfs", "net/netfilter", "net/bridge"}
    assert not kept & set(recipe.ABSENT)


def test_an_image_is_not_begun_without_the_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COREOPS_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"mcopy.*mkfs\.vfat.*mmdebstrap") as refused:
        image.ensure(lambda event: None)
    assert "mtools" in str(refused.value.next)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(InputError, match="riscv64"):
        image.ensure(lambda event: None)


def test_an_image_is_not_begun_without_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COREOPS_CACHE", str(tmp_path / "not/there/yet"))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("coreops.providers.namespace.host.missing_packages", lambda programs: {})
    monkeypatch.setattr("coreops.providers.namespace.host.KEYRING", tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2 << 30, 2 << 30, 5 << 20))
    with pytest.raises(InputError, match="no room") as refused:
        image.ensure(lambda event: None)
    assert "5 MiB are free" in str(refused.value.why)
    assert not list(tmp_path.iterdir())


def test_what_is_written_to_the_system_partition_is_there(tmp_path: Path) -> None:
    if not all(map(shutil.which, ("mkfs.vfat", "mcopy", "sfdisk"))):
        pytest.skip("dosfstools or mtools are not installed")
    target = tmp_path / "disk.img"
    with target.open("wb") as stream:
        stream.truncate(disk.size(recipe.LAYOUT) << 20)
    esp.write(target, esp.files(b"manager", b"kernel", SLOT_A, "one"), tmp_path)
    (tmp_path / "entry").write_text("title x\n")
    esp.put(target, "/loader/entries/usr-b+1.conf", tmp_path / "entry")
    assert esp.listing(target) == ("usr-a.conf", "usr-b+1.conf")
    assert esp.listing(target, "/coreops/usr-a") == ("vmlinuz",)
    assert {path.name for path in tmp_path.iterdir()} == {"disk.img", "entry"}
