"""The host machine: is it able to carry a lab, and how its programs are run. Every other module asks through here."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from coreops.errors import CoreopsError, InputError

RUN_PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "sfdisk": "fdisk",
    "losetup": "mount",
    "partx": "util-linux",
    "unshare": "util-linux",
    "setsid": "util-linux",
    "mount": "mount",
    "umount": "mount",
}
BUILD_PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "mkfs.ext4": "e2fsprogs",
    "chroot": "coreutils",
    "setpriv": "util-linux",
}
INOTIFY_PER_NODE = 7
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

_ALTERNATIVE = (
    "without root or Linux: run the lab inside a Linux VM as root, or give coreops an inventory of machines you have"
    " (vagrant/ boots some)"
)


def require_linux_root() -> None:
    """Refuse where no lab can run. Raises InputError before anything is touched."""
    if sys.platform != "linux":
        raise InputError(
            f"a lab needs Linux; this is {sys.platform}",
            why="its nodes hang on network namespaces of this machine",
            next=_ALTERNATIVE,
        )
    if os.geteuid() != 0:
        raise InputError(
            "a lab needs root",
            why="it makes network namespaces, loop devices, mounts and cgroups",
            next="sudo coreops lab ...; " + _ALTERNATIVE,
        )


def missing_packages(programs: dict[str, str], which: Callable[[str], str | None] = shutil.which) -> dict[str, str]:
    """Return the programs that are not installed, with the Debian package of each."""
    return {program: package for program, package in programs.items() if which(program) is None}


def require_programs(*, build: bool) -> None:
    """Check that every program a lab needs is here. Raises one InputError that names all that are missing."""
    missing = missing_packages(RUN_PROGRAMS | (BUILD_PROGRAMS if build else {}))
    if build and not KEYRING.exists():
        missing[str(KEYRING)] = "debian-archive-keyring"
    if missing:
        raise InputError(
            f"programs are missing on this machine: {', '.join(sorted(missing))}",
            why="the lab's nodes are built and started with them",
            next=f"apt-get install --no-install-recommends {' '.join(sorted(set(missing.values())))}",
        )
    if not Path("/dev/loop-control").exists():
        raise InputError(
            "this kernel offers no loop devices (/dev/loop-control is missing)",
            why="every node has a disk image with partitions",
            next="modprobe loop; in a container, run it on the machine itself",
        )


def require_inotify(nodes: int) -> None:
    """Check that so many more nodes can watch files. Where that fails their systemd hangs, and says nothing."""
    limit_file = Path("/proc/sys/fs/inotify/max_user_instances")
    if nodes < 1 or not limit_file.exists():
        return
    limit, used, needed = int(limit_file.read_text()), _inotify_in_use(), nodes * INOTIFY_PER_NODE
    if used + needed > limit:
        raise InputError(
            f"this machine lets root watch files {limit} times at once, too few for {nodes} more nodes",
            why=f"{used} are in use, and a node takes up to {INOTIFY_PER_NODE}",
            next=f"sysctl fs.inotify.max_user_instances={max(1024, 2 * (used + needed))}; or fewer --nodes",
        )


def _inotify_in_use() -> int:
    """Count root's inotify instances; the kernel limits them per user."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == 0:
                count += sum(os.readlink(fd) == "anon_inode:inotify" for fd in (process / "fd").iterdir())
        except OSError:
            continue  # the process has ended, or closed the file, since it was listed
    return count


def run(argv: Sequence[str], *, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program of the host to its end. Raises CoreopsError with what it said."""
    done = subprocess.run(
        argv,
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        text=True,
        errors="replace",
        env=os.environ | {"LC_ALL": "C"},
    )
    if check and done.returncode != 0:
        raise CoreopsError(
            f"{' '.join(argv)} failed with exit status {done.returncode}",
            why=(done.stderr or done.stdout).strip()[-2000:] or None,
            next="coreops lab down, then up again",
        )
    return done


def wait_until(condition: Callable[[], bool], timeout: float, interval: float = 0.05) -> bool:
    """Look at a condition until it holds (True) or the time is over (False)."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for one process at a time, and make it if need be. The holder may delete it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                current = os.stat(folder).st_ino == os.fstat(fd).st_ino
            except FileNotFoundError:
                current = False
            if not current:
                continue
            yield
            return
        finally:
            os.close(fd)


def lock_held(path: Path) -> bool:
    """Say whether a living process holds the lock file."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old or the new content, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "wb") as stream:
        os.fchmod(fd, mode)
        stream.write(content.encode() if isinstance(content, str) else content)
    temporary.replace(path)


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove those of the folders that are empty; others are somebody's."""
    for folder in folders:
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return
