"""A machine made of one disk image: real partitions, a real /usr mount, the firmware's rule. Needs Linux and root.

Scripts run in a mount namespace whose root looks like a node's: /usr is mounted from a slot, with an overlay on top as
systemd-sysext makes one, so that the host's programs are there too. A boot is a new namespace with a new boot id.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from coreops.gptprio import SLOT_TYPE, Slot, choose
from coreops.model import Record, ShellStep
from coreops.providers.namespace import disk
from coreops.upgrade.release import Codec, Release
from tests.support.shells import SHELLS

FRAME = 64 * 1024
_MIB = 2048
_LAYOUT = f"""label: gpt
unit: sectors
d1 : start={_MIB}, size={_MIB}, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, name="EFI-SYSTEM"
d3 : start={2 * _MIB}, size={4 * _MIB}, type={SLOT_TYPE}, name="USR-A", uuid=7130c94a-213a-4e5a-8e26-6cce9662f132
d4 : start={6 * _MIB}, size={4 * _MIB}, type={SLOT_TYPE}, name="USR-B", uuid=e03dd35c-7c2d-4a47-b3fe-27f15780a57c
d9 : start={10 * _MIB}, size={2 * _MIB}, type=3884dd41-8582-4404-b9a8-e9b84f2df50e, name="ROOT"
"""
SLOT_SIZE = 4 * _MIB * 512
_NODE = """\
set -e
root=$work/root
mount -t tmpfs node "$work"
mkdir "$root" && mount -t tmpfs node "$root"
mkdir -p "$root/usr" "$root/etc" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run" "$root/shims" "$work/slot"
mkdir -p "$root/var/lib/coreops" "$root/boot"
for each in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$each" ]; then ln -s "$(readlink "/$each")" "$root/$each"
  elif [ -d "/$each" ]; then mkdir "$root/$each"; mount --bind "/$each" "$root/$each"; fi
done
for each in alternatives ld.so.cache passwd group nsswitch.conf; do
  [ ! -e "/etc/$each" ] || cp -a "/etc/$each" "$root/etc"
done
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
for each in proc sys dev; do mount --rbind "/$each" "$root/$each"; done
mount --bind "$state/boot_id" "$root/proc/sys/kernel/random/boot_id"
mount --bind "$state/lib" "$root/var/lib/coreops"
mount --bind "$state/boot" "$root/boot"
mount --bind "$state/shims" "$root/shims"
mount -o ro "$slot" "$work/slot"
mount -o ro "$slot" "$root/usr"
mount -t overlay sysext -o "lowerdir=$work/slot:/usr" "$root/usr"
cd "$root"
exec chroot . sh -c 'echo up; read -r end'
"""


class Machine:
    """Made switched off; ``boot`` starts it."""

    def __init__(self, folder: Path, shell: str = "dash", tool: str = "cgpt") -> None:
        self.folder = folder
        self.shell = shell
        self.tool = tool
        self.image = folder / "disk.img"
        self.state = folder / "state"
        self.path: tuple[str, ...] = ()
        self._holder: subprocess.Popen[str] | None = None
        for name in ("lib", "boot", "shims"):
            (self.state / name).mkdir(parents=True)
        (folder / "work").mkdir()
        with self.image.open("wb") as stream:
            stream.truncate(13 * _MIB * 512)
        subprocess.run(["sfdisk", "--quiet", str(self.image)], input=_LAYOUT, text=True, check=True)
        self.shim("systemctl", "exit 1")
        self.loop = disk.attach(self.image)
        # From here on only through the device: it has a cache of its own, which knows nothing of writes to the file.
        self.device = Path("/dev") / self.loop
        self.content(3).write(self.usr("1.0.0"))
        self.set_bits(3, 1, 0, 1)

    def usr(self, version: str) -> Path:
        """A small /usr file system. The same version gives the same bytes."""
        made = self.folder / f"usr-{version}.squashfs"
        if not made.exists():
            tree = self.folder / f"tree-{version}"
            (tree / "lib").mkdir(parents=True)
            (tree / "lib/os-release").write_text(f'NAME=test\nVERSION_ID="{version}"\n')
            (tree / "ballast").write_bytes(random.Random(version).randbytes(700_000))
            flags = ["-noappend", "-quiet", "-no-progress", "-all-time", "0", "-mkfs-time", "0"]
            subprocess.run(["mksquashfs", str(tree), str(made), *flags], check=True, stdout=subprocess.DEVNULL)
        return made

    def content(self, number: int) -> _Content:
        """What lies in a slot."""
        return _Content(Path(f"{self.device}p{number}"))

    def slots(self) -> dict[str, Slot]:
        """The bits, as sfdisk reads them."""
        return {slot.label: slot for slot in disk.read_slots(self.device)}

    def bits(self) -> tuple[tuple[int, int, int], ...]:
        """(priority, tries, successful) of A and B."""
        return tuple((slot.priority, slot.tries, int(slot.successful)) for slot in self.slots().values())

    def set_bits(self, number: int, priority: int, tries: int, successful: int, other: int = 0) -> None:
        disk.write_slot(self.device, Slot(number, "", priority, tries, bool(successful), other))

    def next(self) -> str:
        """The slot that the firmware would boot, "" for none."""
        choice = choose(self.slots().values())
        return choice.slot.label if choice else ""

    def boot(self) -> str:
        """Power off, whatever was going on, and on again. Returns the slot that was booted."""
        self.off()
        choice = choose(self.slots().values())
        assert choice is not None, "nothing boots"
        disk.write_slot(self.device, choice.slot)
        (self.state / "boot_id").write_text(f"{uuid.uuid4()}\n")
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", _NODE],
            env=os.environ
            | {
                "work": f"{self.folder}/work",
                "state": f"{self.state}",
                "slot": f"/dev/{self.loop}p{choice.slot.number}",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "up\n"
        return choice.slot.label

    @property
    def boot_id(self) -> str:
        return (self.state / "boot_id").read_text().strip()

    def off(self) -> None:
        if self._holder is not None:
            self._holder.communicate("\n")
            self._holder = None

    def close(self) -> None:
        self.off()
        disk.detach(self.loop)

    def shim(self, name: str, text: str) -> None:
        """Put a program of ours before the node's own."""
        file = self.state / "shims" / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def sh(self, script: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a script in the node, as the engine would."""
        return subprocess.run(self.command(), input=stdin, capture_output=True, timeout=120, env=self.env(script))

    def command(self) -> list[str]:
        assert self._holder is not None, "it is switched off"
        enter = ["nsenter", "--mount", "--root", "--wd", "--target", str(self._holder.pid), "setsid", "--wait"]
        # In a variable, as the engine sends it: there it is not in the process list.
        return [*enter, *SHELLS[self.shell], "-c", 'co_x=$co_s; unset co_s; eval "$co_x"']

    def env(self, script: str) -> dict[str, str]:
        path = "/shims:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "TOOLS": self.tool, "co_s": script}

    def step(self, step: ShellStep) -> Record:
        """What a node does with a ShellStep."""
        for script, decided in ((step.probe, "ok"), (step.act, "changed")):
            if script is None:
                continue
            stdin = b""
            if decided == "changed" and step.stdin is not None:
                assert step.stdin.path is not None
                stdin = step.stdin.path.read_bytes()[step.stdin.offset :][: step.stdin.size]
            done = self.sh(script, stdin)
            if done.returncode == 1 and decided == "ok" and step.act is not None:
                continue
            state = decided if done.returncode == 0 else "failed"
            return Record(step.id, state, rc=done.returncode, stdout=done.stdout, stderr=done.stderr)  # type: ignore[arg-type]
        raise AssertionError("a step without probe and act")


class _Content:
    def __init__(self, device: Path) -> None:
        self._device = device

    def write(self, file: Path) -> None:
        with self._device.open("r+b") as stream:
            stream.write(file.read_bytes())
            stream.flush()
            os.fsync(stream.fileno())

    def is_file(self, file: Path) -> bool:
        with self._device.open("rb") as stream:
            return stream.read(file.stat().st_size) == file.read_bytes()


def pack(
    folder: Path, version: str, usr: Path, codec: Codec = "none", kernel: bytes = b"", frame: int = FRAME
) -> tuple[Release, Path]:
    """Make an image file of frames, as ``release`` describes them. Unlike a channel's packer it is simple."""
    content = usr.read_bytes()
    frames = [_pack(part, codec) for whole in (content, kernel) for part in _cut(whole, frame)]
    image = folder / f"{version}-{codec}-{len(kernel)}.image"
    image.write_bytes(b"".join(frames))
    return Release(
        version=version,
        board="amd64-usr",
        target=image.name,
        size=image.stat().st_size,
        sha256=hashlib.sha256(image.read_bytes()).hexdigest(),
        codec=codec,
        frame=frame,
        frames=tuple(len(each) for each in frames),
        usr_size=len(content),
        usr_sha256=hashlib.sha256(content).hexdigest(),
        kernel_size=len(kernel),
        kernel_sha256=hashlib.sha256(kernel).hexdigest() if kernel else "",
    ), image


def _cut(content: bytes, frame: int) -> Sequence[bytes]:
    return [content[at : at + frame] for at in range(0, len(content), frame)]


def _pack(content: bytes, codec: Codec) -> bytes:
    if codec == "none":
        return content
    command = {"gzip": ["gzip", "-nc"], "zstd": ["zstd", "-qc"]}[codec]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout


def why_not() -> str:
    """Why there can be no machine here, "" when there can."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [
        name for name in ("losetup", "partx", "mksquashfs", "nsenter", "unshare", "flock") if not shutil.which(name)
    ]
    return f"needs {', '.join(missing)}" if missing else ""
