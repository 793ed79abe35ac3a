"""Packs the guest image as a box for vagrant-libvirt, and looks at boxes. Starts no machine and no Vagrant.

A box is a tar.gz of ``metadata.json``, a ``Vagrantfile`` and ``box.img`` (qcow2). metadata.json gives the disk's size
in GiB: the disk must have exactly that size, or the second partition table is not at the disk's end, where it belongs.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import tarfile
import tempfile
from pathlib import Path
from typing import IO, Any, Final

from coreops.errors import CoreopsError, InputError
from coreops.events import Emit, Notice
from coreops.providers.namespace.disk import copy_image
from coreops.providers.namespace.host import missing_packages, require_linux_root, run
from coreops.providers.qemu.disks import guest
from coreops.providers.qemu.settings import Target

PROGRAMS: Final = {"qemu-img": "qemu-utils", "sfdisk": "fdisk"}
GIB: Final = 1024**3
_PARTS: Final = ("metadata.json", "Vagrantfile", "box.img")
_QCOW2: Final = struct.Struct(">4sIQIIQ")
VAGRANTFILE: Final = """\
# What machines of this box need, whatever the project's Vagrantfile says.
Vagrant.configure("2") do |config|
  config.ssh.username = "core"
  # Vagrant starts it for each of its commands; bash as a login shell is a second of work for an emulated machine.
  config.ssh.shell = "sh"
  # Known, it is not searched for: that takes dozens of commands in the machine.
  config.vm.guest = :linux
  # There is no rsync in the machine, and /usr is read-only.
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.vm.provider :libvirt do |libvirt|
    # A board with IDE: Debian's kernel for clouds knows no other drives for CDs.
    libvirt.machine_type = "pc"
    # UEFI, of Debian's package ovmf. Elsewhere name the file that holds code and variables together.
    libvirt.loader = ENV.fetch("COREOPS_OVMF", "/usr/share/ovmf/OVMF.fd")
    libvirt.disk_bus = "virtio"
    libvirt.nic_model_type = "virtio"
  end
end
"""


def build(target: Path, emit: Emit, user_data: Target = "cloud-init") -> int:
    """Write the box whose guest reads this kind of user-data; return the size of its disk in GiB."""
    require_linux_root()
    if missing := missing_packages(PROGRAMS):
        raise InputError(
            f"programs are missing on this machine: {', '.join(sorted(missing))}",
            why="the box's disk is made with them",
            next=f"apt-get install --no-install-recommends {' '.join(sorted(set(missing.values())))}",
        )
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}", next="make it, or name another file with --output")
    image = guest(emit, user_data)
    size = -(-image.disk.stat().st_size // GIB)
    work = Path(tempfile.mkdtemp(prefix=".box-", dir=target.parent))
    try:
        emit(Notice("packing the box"))
        raw = work / "disk.img"
        copy_image(image.disk, raw)
        os.truncate(raw, size * GIB)
        run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--relocate", "gpt-bak-std", str(raw)])
        run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(work / "box.img")])
        raw.unlink()
        metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": size}
        (work / "metadata.json").write_text(json.dumps(metadata, indent=1) + "\n")
        (work / "Vagrantfile").write_text(VAGRANTFILE)
        # Not compressed again: what is large in it are kernels and a squashfs.
        with tarfile.open(work / "box", "w:gz", compresslevel=0) as box:
            for name in _PARTS:
                box.add(work / name, name, filter=_anonymous)
        inspect(work / "box")
        os.replace(work / "box", target)
    except OSError as error:
        raise CoreopsError(
            "the box could not be written", where=target, why=str(error), next="2 GiB must be free there"
        ) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return size


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def inspect(path: Path) -> int:
    """Return the size of a box's disk in GiB. Raises InputError for what vagrant-libvirt would boot wrongly or not."""
    try:
        with tarfile.open(path) as box:
            metadata = json.loads(_part(box, "metadata.json", path).read(1024 * 1024))
            header = _part(box, "box.img", path).read(_QCOW2.size)
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise InputError("not a Vagrant box", where=path, why=str(error), next="build one: coreops lab box") from None
    told = _told(metadata, path)
    if len(header) < _QCOW2.size or not header.startswith(b"QFI\xfb"):
        raise InputError("the disk of the box is not qcow2", where=path, why="box.img begins otherwise")
    real = int(_QCOW2.unpack(header)[5])
    if real != told * GIB:
        raise InputError(
            "the disk of the box has the wrong size",
            where=path,
            why=f"metadata.json says {told} GiB ({told * GIB} bytes), box.img has {real} bytes:"
            " the second partition table would not be at the end of the disk",
            next="build it again: coreops lab box",
        )
    return told


def _part(box: tarfile.TarFile, name: str, path: Path) -> IO[bytes]:
    members = [member for member in box.getmembers() if member.name.removeprefix("./") == name and member.isfile()]
    stream = box.extractfile(members[0]) if members else None
    if stream is None:
        raise InputError(f"there is no {name} in the box", where=path, next="build one: coreops lab box")
    return stream


def _told(metadata: Any, path: Path) -> int:
    size = metadata.get("virtual_size") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or metadata.get("provider") != "libvirt":
        raise InputError("not a box for vagrant-libvirt", where=path, why="metadata.json names another provider")
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise InputError("metadata.json has no virtual_size", where=path, why="it must be whole GiB")
    return size
