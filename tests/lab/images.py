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
from coreops.providers.qemu.initramfs import load_order

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
_PROGRAMS = frozenset(
    """
    [ agetty awk basename bash blkid blockdev busctl cat cgpt chmod chown cmp cp curl cut dash date dd df dirname
    du env expr false find findmnt flock fsck getent grep groupadd gzip head hostname id install ionice ip
    journalctl kill kmod lab-release ln login loginctl logger ls lsblk mawk mkdir mkfifo mktemp mount mountpoint
    mv networkctl nice nohup nologin nproc od pgrep ps pwd readlink realpath renice rm rmdir runuser sed seq
    setpriv setsid sfdisk sha256sum sleep sort ssh-keygen ssh-keyscan sshd stat stty su sudo sulogin sync
    systemctl tail tar tee test timeout touch tr true tty udevadm umount uname uniq unix_chkpwd unshare useradd wc
    xargs
    """.split()  # noqa: SIM905
)
"""What of bin and sbin stays in a small image, besides systemd's and D-Bus's."""
_MODULES = (
    *(
        "autofs4",
        "button",
        "efivarfs",
        "evdev",
        "ip_tables",
        "loop",
        "nls_ascii",
        "nls_cp437",
        "qemu_fw_cfg",
        "softdog",
    ),
    *("squashfs", "vfat", "virtio_blk", "virtio_net", "virtio_pci", "virtio_rng"),
)
"""They stay with all that they need, loaded or not: where one file is missing, none of those is found."""
_NEVER_READ = (
    *("games", "include", "local", "src", "lib/*/gconv", "lib/*/perl", "lib/dracut", "lib/gcc", "lib/locale"),
    *("lib/openssh", "lib/*/engines-3", "lib/*/krb5", "lib/*/sasl2", "lib/*/tc", "lib/systemd/catalog", "lib/terminfo"),
    *("share/bash-completion", "share/ca-certificates", "share/common-licenses", "share/gcc", "share/lintian"),
    *("share/misc", "share/zsh"),
)
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


def small(base: Path, version: str) -> Path:
    """From a virtual machine's /usr: as good as that, without what such a machine never looks at. An emulated one has a
    second of work with three megabytes that it is sent.
    """

    def change(usr: Path) -> None:
        _os_release(version)(usr)
        for path in [path for pattern in _NEVER_READ for path in usr.glob(pattern)]:
            shutil.rmtree(path)
        for path in [path for place in ("bin", "sbin") for path in (usr / place).iterdir()]:
            if not path.is_symlink() and path.name not in _PROGRAMS and not path.name.startswith(("systemd", "dbus")):
                path.unlink()
        modules = next(usr.glob("lib/modules/*"))
        kept = {modules / file for file in load_order((modules / "modules.dep").read_text(), _MODULES)}
        for path in {*modules.glob("kernel/**/*.ko")} - kept:
            path.unlink()
        _drop_libraries(usr)

    return _variant(f"smallest-{version}", change, base, level=9)


def _drop_libraries(usr: Path) -> None:
    """Remove those that nobody names: who needs a library, or loads it later, has its name somewhere inside."""
    folder = next(usr.glob("lib/*-linux-gnu"))
    there = {path.name: path for path in folder.iterdir() if ".so" in path.name and not path.is_dir()}
    kept: set[str] = set()
    rest = [
        path
        for path in usr.rglob("*")
        if path.is_file() and not path.is_symlink() and path.parent != folder and "modules" not in path.parts
    ]
    rest += [path for name, path in there.items() if name.startswith(("ld-", "libnss_"))]
    while rest:
        content = rest.pop().read_bytes()
        if content.startswith(b"\x7fELF"):
            named = {name for name in there.keys() - kept if name.encode() in content}
            kept |= named
            rest += [there[name] for name in named]
    files = {there[name].resolve().name for name in kept} | kept
    for name, path in there.items():
        if name not in files and not name.startswith(("ld-", "libnss_")):
            path.unlink()


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


def _variant(name: str, change: Callable[[Path], None], base: Path | None = None, level: int = 1) -> Path:
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
            flags = ["-noappend", "-quiet", "-no-progress", "-comp", "zstd", "-Xcompression-level", str(level)]
            subprocess.run(["mksquashfs", str(work / "usr"), str(work / "out"), *flags], check=True, stdout=-3)
            (work / "out").rename(made)
        finally:
            shutil.rmtree(work)
    return made


def _unpack(squashfs: Path, target: Path) -> None:
    command = ["unsquashfs", "-quiet", "-no-progress", "-dest", str(target), str(squashfs)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
