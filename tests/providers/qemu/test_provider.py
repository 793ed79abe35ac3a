"""The provider beyond the rules of all: its network, its disks, its errors, and a caller that is killed."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coreops.errors import CoreopsError, InputError
from coreops.providers.namespace import network as switch
from coreops.providers.protocol import Wanted
from coreops.providers.qemu import machine
from coreops.providers.qemu.disks import Disks, check_own
from coreops.providers.qemu.place import Cluster
from coreops.providers.qemu.provider import Qemu
from coreops.providers.qemu.settings import Settings
from coreops.providers.registry import PROVIDERS, Opening, connect
from tests.providers.conformance import CLUSTER
from tests.providers.qemu import tiny
from tests.providers.qemu.rig import HERE, QemuRig
from tests.providers.qemu.test_conformance import lacks

needs_a_bridge = pytest.mark.skipif(lacks() is not None, reason=str(lacks()))


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QemuRig]:
    monkeypatch.setenv("PATH", os.environ["PATH"])
    rig = QemuRig(tmp_path)
    try:
        yield rig
    finally:
        rig.end()


def with_(wanted: Wanted, **settings: object) -> Wanted:
    return replace(wanted, settings={**wanted.settings, **{f"qemu_{name}": each for name, each in settings.items()}})


@needs_a_bridge
@pytest.mark.slow
def test_a_machine_is_pending_until_one_can_log_in_and_then_runs_though_cut_off(rig: QemuRig) -> None:
    asked: list[str] = []
    there = False

    def ready(address: str) -> bool:
        asked.append(address)
        return there

    provider = replace(rig.provider, ready=ready)
    made = provider.create(rig.wanted("n1"))
    assert made.state == "pending"
    there = True
    (found,) = provider.observe(CLUSTER)
    assert found.state == "running"
    there = False
    assert provider.observe(CLUSTER)[0].state == "running"
    assert asked == [made.addresses["private_ipv4"]] * 2
    provider.power(made, "off")
    provider.power(made, "on")
    assert provider.observe(CLUSTER)[0].state == "pending", "a new boot"


@needs_a_bridge
@pytest.mark.slow
def test_the_network_is_one_a_cluster_and_goes_with_the_last_machine(rig: QemuRig) -> None:
    first = rig.provider.create(with_(rig.wanted("n1"), network="10.78.77.0/24", address="10.78.77.5"))
    second = rig.provider.create(rig.wanted("n2"))
    assert first.addresses == {"private_ipv4": "10.78.77.5"}
    assert second.addresses["private_ipv4"].startswith("10.78.77.")
    for settings, said in (
        ({"address": "10.78.77.5"}, "the address of n1"),
        ({"address": "10.79.0.5"}, "are in 10.78.77.0/24"),
    ):
        with pytest.raises(InputError, match=said):
            rig.provider.create(with_(rig.wanted("n3"), **settings))
    other = with_(rig.wanted("n1", "somebody-elses"), network="10.78.77.128/25")
    with pytest.raises(InputError, match="in use"):
        rig.provider.create(other)
    netns = Path("/run/netns") / Cluster(CLUSTER, rig.provider.root).names.switch
    rig.provider.destroy(first)
    assert netns.exists()
    rig.provider.destroy(second)
    assert not netns.exists()
    assert sorted(each.name for each in rig.provider.root.iterdir()) == ["accel.json"]


@needs_a_bridge
@pytest.mark.slow
def test_what_a_reboot_of_this_machine_took_is_made_again(rig: QemuRig) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    where = Cluster(CLUSTER, rig.provider.root)
    machine.kill(where.place("n1").vm)
    switch.remove(where.names)
    assert rig.provider.create(rig.wanted("n1")).id == made.id
    assert rig.provider.observe(CLUSTER)[0].state == "running"


@needs_a_bridge
@pytest.mark.slow
def test_a_caller_killed_at_any_moment_leaves_one_machine_that_is_finished(rig: QemuRig) -> None:
    script = textwrap.dedent(f"""
        from pathlib import Path
        from coreops.model import Position
        from coreops.providers.protocol import Wanted
        from coreops.providers.qemu.disks import Disks
        from coreops.providers.qemu.provider import Qemu
        folder = Path({str(rig.folder)!r})
        disks = Disks(firmware=(folder / "code.fd", folder / "variables.fd"))
        provider = Qemu(folder, folder / "state", disks=disks, ready=lambda address: True)
        settings = {{"qemu_memory": 128, "qemu_image": "own image.raw"}}
        print("ready", flush=True)
        provider.create(Wanted("n1", {CLUSTER!r}, b"#cloud-config", settings, Position("h")))
    """)
    for after in (0.05, 0.2, 0.4):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as caller:
            assert caller.stdout is not None
            assert caller.stdout.readline() == "ready\n"
            time.sleep(after)
            caller.send_signal(signal.SIGKILL)
        before = rig.ids()
        made = rig.provider.create(rig.wanted("n1"))
        assert before <= {made.id} == rig.ids(), "nothing is there that observe does not know"
        rig.provider.destroy(made)
        assert rig.ids() == set()


@needs_a_bridge
@pytest.mark.slow
def test_a_console_is_what_was_written_and_survives_the_machine(rig: QemuRig) -> None:
    made = rig.provider.create(rig.wanted("n1"))
    deadline = time.monotonic() + 120
    while tiny.WORD not in b"".join(rig.provider.console(made)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    rig.provider.power(made, "off")
    assert tiny.WORD in b"".join(rig.provider.console(made))
    rig.provider.destroy(made)
    assert b"".join(rig.provider.console(made)) == b""
    assert rig.provider.host_keys(made) == ()
    with pytest.raises(CoreopsError, match="no such machine"):
        rig.provider.power(made, "reset")


@needs_a_bridge
@pytest.mark.slow
def test_a_cable_that_cannot_be_made_is_told_and_leaves_nothing(rig: QemuRig) -> None:
    (rig.folder / "bin" / "ip").write_text(
        f'#!/bin/sh\ncase $* in *tuntap*) echo no taps today >&2; exit 1 ;; esac\nexec {shutil.which("ip")} "$@"\n'
    )
    (rig.folder / "bin" / "ip").chmod(0o755)
    with pytest.raises(CoreopsError) as caught:
        rig.provider.create(rig.wanted("n1"))
    assert caught.value.why == "no taps today"
    assert "coreops destroy" in (caught.value.next or "")
    assert rig.ids() == set()
    assert not (Path("/run/netns") / Cluster(CLUSTER, rig.provider.root).names.switch).exists()


@needs_a_bridge
@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing(rig: QemuRig, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr("coreops.providers.qemu.disks.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(CoreopsError, match="no room") as caught:
        rig.provider.create(rig.wanted("n1"))
    assert "1 MiB are free" in (caught.value.why or "")
    assert rig.ids() == set()
    assert rig.provider.observe(CLUSTER) == ()
    assert not (Path("/run/netns") / Cluster(CLUSTER, rig.provider.root).names.switch).exists()


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), (b"QFI\xfb" + bytes(100), "qcow2")])
def test_an_image_that_no_machine_could_start_from_is_bad_input(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "disk").write_bytes(content)
    wanted = Wanted("n1", "c", b"", {"qemu_image": "disk"}, HERE)
    with pytest.raises(InputError, match=said) as caught:
        Qemu(tmp_path, tmp_path / "state").create(wanted)
    assert caught.value.where == str(HERE)
    assert not (tmp_path / "state").exists()


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_a_disk_is_copied_with_its_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool) -> None:
    if not shared:

        def refuse(*args: int) -> int:
            raise OSError(errno.EXDEV, "another file system")

        monkeypatch.setattr("os.copy_file_range", refuse)
    source, firmware = tmp_path / "own", tiny.install(tmp_path)
    with source.open("wb") as stream:
        for at, content in ((0, b"begin"), (40 << 20, os.urandom(1 << 20)), (90 << 20, b"end")):
            stream.seek(at)
            stream.write(content)
        stream.truncate(100 << 20)
    folder = tmp_path / "vm"
    folder.mkdir()
    (folder / ".disk.img.tmp").write_bytes(b"left by a caller that was killed" * 1000)
    Disks(firmware=firmware).ensure(folder, Settings(), source, lambda event: None)
    assert filecmp.cmp(folder / "disk.img", source, shallow=False)
    assert (folder / "disk.img").stat().st_blocks * 512 < 8 << 20
    assert sorted(each.name for each in folder.iterdir()) == ["disk.img", "firmware.fd", "variables.fd"]


def test_a_raw_image_is_taken(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"")
    check_own(tmp_path / "disk", HERE)


def test_firmware_that_is_missing_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coreops.providers.qemu.disks._FIRMWARE", ((str(tmp_path / "none"), str(tmp_path / "none")),))
    with pytest.raises(InputError) as caught:
        Disks().ensure(tmp_path, Settings(), tmp_path / "own", lambda event: None)
    assert "ovmf" in (caught.value.next or "")


def test_without_root_or_programs_nothing_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opening = Opening("c", tmp_path, {"n1": {}}, HERE)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(InputError, match="root") as caught:
        connect(PROVIDERS["qemu"], opening)
    assert caught.value.next
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="programs are missing") as caught:
        connect(PROVIDERS["qemu"], opening)
    assert "qemu-system-x86" in (caught.value.next or "")
