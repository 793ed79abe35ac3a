"""A machine made of one disk image: real partitions, a real /usr mount, the firmware's rule. Needs Linux and root.

Scripts run in a mount namespace whose root looks like a node's: /usr is mounted from a slot, with an overlay on top as
systemd-sysext makes one, so that the host's programs are there too. A boot is a new namespace with a new boot id.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from coreops import sdboot
from coreops.gptprio import SLOT_TYPE, Slot, choose
from coreops.model import Record, ShellStep
from coreops.providers.namespace import disk
from coreops.upgrade.release import Codec, Release
from tests.support.shells import SHELLS

FRAME = 64 * 1024
_MIB = 2048
_ESP_SIZE = 4 * _MIB
_SLOTS = {3: "7130c94a-213a-4e5a-8e26-6cce9662f132", 4: "e03dd35c-7c2d-4a47-b3fe-27f15780a57c"}
_LAYOUT = f"""label: gpt
unit: sectors
d1 : start={12 * _MIB}, size={_ESP_SIZE}, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, name="EFI-SYSTEM"
d3 : start={2 * _MIB}, size={4 * _MIB}, type={SLOT_TYPE}, name="USR-A", uuid={_SLOTS[3]}
d4 : start={6 * _MIB}, size={4 * _MIB}, type={SLOT_TYPE}, name="USR-B", uuid={_SLOTS[4]}
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
if [ -z "$esp" ]; then mount --bind "$state/boot" "$root/boot"
else mount "$esp" "$root/boot"; mount -t tmpfs efi "$root/sys/firmware"; mkdir -p "$root/sys/firmware/efi/efivars"; fi
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
            stream.truncate(17 * _MIB * 512)
        subprocess.run(["sfdisk", "--quiet", str(self.image)], input=_LAYOUT, text=True, check=True)
        self.shim("systemctl", "exit 1")
        self.loop = disk.attach(self.image)
        # From here on only through the device: it has a cache of its own, which knows nothing of writes to the file.
        self.device = Path("/dev") / self.loop
        self.content(3).write(self.usr("1.0.0"))
        self._prepare()

    def _prepare(self) -> None:
        """Make USR-A the good slot."""
        self.set_bits(3, 1, 0, 1)

    def usr(self, version: str) -> Path:
        """A small /usr file system. The same version gives the same bytes."""
        made = self.folder / f"usr-{version}.squashfs"
        if not made.exists():
            made.write_bytes(_squashfs(version))
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
        number, label = self._start()
        (self.state / "boot_id").write_text(f"{uuid.uuid4()}\n")
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", _NODE],
            env=os.environ
            | {
                "work": f"{self.folder}/work",
                "state": f"{self.state}",
                "slot": f"/dev/{self.loop}p{number}",
                "esp": self._esp,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "up\n"
        return label

    _esp = ""

    def _start(self) -> tuple[int, str]:
        """What the firmware does. Returns the slot that it boots."""
        choice = choose(self.slots().values())
        assert choice is not None, "nothing boots"
        disk.write_slot(self.device, choice.slot)
        return choice.slot.number, choice.slot.label

    def arrangement(self) -> Iterable[Slot]:
        """What decides about the next boot; for ``arrange``."""
        return self.slots().values()

    def arrange(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            self.set_bits(slot.number, slot.priority, slot.tries, int(slot.successful))

    def next_after_power_cut(self) -> str:
        """What would boot if power went now."""
        return self.next()

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


class SdbootMachine(Machine):
    """Its ESP has a journal, which FAT has not: this machine's kernel need not know FAT."""

    def _prepare(self) -> None:
        self._esp = f"{self.device}p1"
        subprocess.run(["mkfs.ext4", "-q", "-b", "1024", "-J", "size=1", "-I", "128", self._esp], check=True)
        self.entry("usr-a.conf", 3, 1)
        self.put("coreops/usr-a/vmlinuz", kernel("1.0.0"))

    def entry(self, file: str, number: int, version: int) -> None:
        slot = "ab"[number - 3]
        text = (
            f"title lab\nversion {version}\nsort-key coreops\nlinux /coreops/usr-{slot}/vmlinuz\n"
            f"options quiet coreops.usr=PARTUUID={_SLOTS[number]}\n"
        )
        self.put(f"loader/entries/{file}", text.encode())

    def put(self, path: str, content: bytes) -> None:
        self.esp('mkdir -p "${1%/*}" && cat >"$1"', path, stdin=content)

    def esp(self, script: str, *args: str, device: str = "", stdin: bytes = b"") -> bytes:
        """Run a script in the ESP's file system, in sight of nobody."""
        mount = 'mount $0 "$1" "$2" && cd "$2" && shift 2\n'
        place, options = str(self.folder / "work"), "-oloop" if device else "-orw"
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", mount + script, options]
        return subprocess.run(
            [*command, device or self._esp, place, *args], input=stdin, stdout=subprocess.PIPE, check=True
        ).stdout

    def files(self, device: str = "") -> dict[str, bytes]:
        """All that is on the ESP, by path."""
        packed = self.esp("tar -cf - --exclude=lost+found .", device=device)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            members = [member for member in archive if member.isfile()]
            return {m.name.removeprefix("./"): archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]

    def _first(self, device: str = "") -> tuple[sdboot.Entry, int] | None:
        """The entry that boots, and its slot; what it boots must be there, and belong together."""
        files = self.files(device)
        texts = {path.rpartition("/")[2]: files[path].decode() for path in files if path.startswith("loader/entries/")}
        chosen = sdboot.choose(entry for name, text in texts.items() if (entry := sdboot.read(name, text)))
        if chosen is None:
            return None
        text = texts[chosen.file]
        number = next(number for number, uuid in _SLOTS.items() if f"PARTUUID={uuid}\n" in text)
        booted = files[text.partition("linux /")[2].partition("\n")[0]]
        assert booted in [kernel(version) for version in VERSIONS if self.content(number).is_file(self.usr(version))]
        return chosen, number

    def _start(self) -> tuple[int, str]:
        chosen = self._first()
        assert chosen is not None, "nothing boots"
        entry, number = chosen
        if entry.booted != entry.file:
            self.esp('mv "loader/entries/$1" "loader/entries/$2"', entry.file, entry.booted)
        return number, f"USR-{'AB'[number - 3]}"

    def next(self, device: str = "") -> str:
        chosen = self._first(device)
        return f"USR-{'AB'[chosen[1] - 3]}" if chosen else ""

    kept: tuple[str, ...] = ()
    """Beginnings of paths: some file is there whenever the power goes."""
    untouched: Mapping[str, bytes] = MappingProxyType({})
    """Files of the ESP that no power cut may find changed."""

    def next_after_power_cut(self) -> str:
        """What was not written to the disk is lost."""
        copy = self.folder / "esp.img"
        with self.image.open("rb") as stream:
            stream.seek(12 * _MIB * 512)
            copy.write_bytes(stream.read(_ESP_SIZE * 512))
        files = self.files(str(copy))
        assert {path: files.get(path) for path in self.untouched} == dict(self.untouched)
        assert all(any(path.startswith(start) and path.endswith(".conf") for path in files) for start in self.kept), (
            files.keys()
        )
        return self.next(str(copy))

    def bits(self) -> tuple[tuple[str, bytes], ...]:  # type: ignore[override]
        """Names and contents of the entries."""
        return tuple(sorted(item for item in self.files().items() if item[0].startswith("loader/")))

    def arrangement(self) -> dict[str, bytes]:  # type: ignore[override]
        return self.files()

    def arrange(self, files: dict[str, bytes]) -> None:  # type: ignore[override]
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path, content in files.items():
                member = tarfile.TarInfo(path)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        self.esp("rm -rf loader coreops; tar -xf -; sync -f .", stdin=packed.getvalue())


@cache
def _squashfs(version: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        tree, made = Path(folder, "tree"), Path(folder, "made")
        (tree / "lib").mkdir(parents=True)
        (tree / "lib/os-release").write_text(f'NAME=test\nVERSION_ID="{version}"\n')
        (tree / "ballast").write_bytes(random.Random(version).randbytes(700_000))
        flags = ["-noappend", "-quiet", "-no-progress", "-all-time", "0", "-mkfs-time", "0"]
        subprocess.run(["mksquashfs", str(tree), str(made), *flags], check=True, stdout=subprocess.DEVNULL)
        return made.read_bytes()


VERSIONS = ("1.0.0", "1.1.0", "1.2.0")


def kernel(version: str) -> bytes:
    """What boots a release on a machine with systemd-boot."""
    return random.Random(f"kernel {version}").randbytes(90_000)


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
