"""Images to upgrade a lab to: good ones of any version, and bad ones of every kind. Made from the lab's own 1.1.0.

Each is a squashfs in the cache of images, named by what it is made from and how; a second caller finds it there.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from coreops.providers.namespace import image, recipe
from coreops.providers.namespace.host import locked_folder

_BASE = "1.1.0"
_MAKER = "1"
"""To be counted up when a builder changes what it makes."""

_PANIC = """\
[Unit]
Description=An image that cannot reach its services
DefaultDependencies=no
Before=sysinit.target
FailureAction=reboot-immediate

[Service]
Type=oneshot
ExecStart=/usr/bin/false

[Install]
WantedBy=sysinit.target
"""
_NO_ETCD = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=\nExecStart=/usr/bin/false\n"


def good(version: str) -> Path:
    """An image that is as good as the lab's own, of another version."""
    return _variant(f"good-{version}", _os_release(version))


def no_sshd(version: str = "1.1.0") -> Path:
    """Fails before sshd is there, and then reboots, as a real one does from dracut's emergency shell: it falls back."""

    def change(usr: Path) -> None:
        _os_release(version)(usr)
        units = usr / "lib/systemd/system"
        (units / "broken.service").write_text(_PANIC)
        (units / "sysinit.target.wants").mkdir(exist_ok=True)
        (units / "sysinit.target.wants/broken.service").symlink_to("../broken.service")

    return _variant(f"no-sshd-{version}", change)


def silent(version: str = "1.1.0") -> Path:
    """Boots, but sshd never starts: it neither falls back nor answers, until somebody cuts its power."""

    def change(usr: Path) -> None:
        _os_release(version)(usr)
        for unit in ("ssh.service", "sshd.service", "ssh.socket"):
            drop_in = usr / f"lib/systemd/system/{unit}.d"
            drop_in.mkdir(parents=True, exist_ok=True)
            (drop_in / "50-never.conf").write_text("[Unit]\nConditionPathExists=/nonexistent\n")

    return _variant(f"silent-{version}", change)


def hangs(base: Path, version: str) -> Path:
    """From a virtual machine's /usr: boots, and would be without sshd for ever. Gives itself a few seconds only."""

    def change(usr: Path) -> None:
        _os_release(version)(usr)
        for unit, text in {
            "ssh.service": "[Service]\nExecStartPre=/usr/bin/sleep infinity\nTimeoutStartSec=infinity\n",
            "slot-trial.service": "[Service]\nTimeoutStartSec=20\n",
        }.items():
            drop_in = usr / f"lib/systemd/system/{unit}.d/90-test.conf"
            drop_in.parent.mkdir(parents=True, exist_ok=True)
            drop_in.write_text(text)

    return _variant(f"hangs-{version}", change, base)


def no_etcd(version: str = "1.1.0") -> Path:
    """Boots and answers, but etcd fails to start under it."""

    def change(usr: Path) -> None:
        _os_release(version)(usr)
        drop_in = usr / "lib/systemd/system/etcd.service.d"
        drop_in.mkdir(parents=True, exist_ok=True)
        (drop_in / "99-broken.conf").write_text(_NO_ETCD)

    return _variant(f"no-etcd-{version}", change)


def wrong_version(said: str = "9.9.9") -> Path:
    """Whatever it is published as, inside it says ``said``."""
    return _variant(f"wrong-{said}", _os_release(said))


def not_a_fs() -> Path:
    """Noise: mounting it fails, the kernel panics."""
    made = _folder() / "not-a-fs.squashfs"
    if not made.exists():
        temporary = made.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(random.Random(1).randbytes(8 << 20))
        temporary.rename(made)
    return made


def _os_release(version: str) -> Callable[[Path], None]:
    def change(usr: Path) -> None:
        file = usr / "lib/os-release"
        file.unlink()
        file.write_text(recipe.os_release(version))

    return change


def _folder(base: Path | None = None) -> Path:
    origin = base.parent if base else image.current().folder
    name = hashlib.sha256(f"{_MAKER} {origin.name}".encode()).hexdigest()[:16]
    folder = image.cache_root() / f"variants-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _variant(name: str, change: Callable[[Path], None], base: Path | None = None) -> Path:
    folder = _folder(base)
    made = folder / f"{name}.squashfs"
    if made.exists():
        return made
    with locked_folder(folder):
        if made.exists():
            return made
        work = Path(tempfile.mkdtemp(prefix=".make-", dir=folder))
        try:
            tree = folder / "tree"
            if not tree.exists():
                _unpack(base or image.current().usr(_BASE), work / "unpacked")
                (work / "unpacked").rename(tree)
            # Hard links: only what a change replaces takes room. Builders write new files, never into old ones.
            subprocess.run(["cp", "-al", str(tree), str(work / "usr")], check=True)
            change(work / "usr")
            flags = ["-noappend", "-quiet", "-no-progress", "-comp", "zstd", "-Xcompression-level", "1"]
            subprocess.run(["mksquashfs", str(work / "usr"), str(work / "out"), *flags], check=True, stdout=-3)
            (work / "out").rename(made)
        finally:
            shutil.rmtree(work)
    return made


def _unpack(squashfs: Path, target: Path) -> None:
    command = ["unsquashfs", "-quiet", "-no-progress", "-dest", str(target), str(squashfs)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
