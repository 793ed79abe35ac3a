"""Builds guest images from Debian packages, once per recipe, and keeps them by content hash. Knows no machine.

    image = ensure(emit)                  # or ensure(emit, CLOUD_INIT): with Debian's cloud-init, for user-data
    copy_image(image.disk, node_disk)     # coreops.providers.namespace.disk; raw, sparse, release 1.0.0 in USR-A

Firmware ``uefi``: pflash ``image.ovmf_code`` (read-only) and a copy of ``image.ovmf_vars`` per node; the disk as
virtio-blk. The entry usr-a.conf boots /coreops/usr-a/vmlinuz, which is one EFI program with the initramfs inside (no
``initrd`` line): ``image.kernel_of(release)`` is what a channel publishes as --kernel, one file a release.
Firmware ``gptprio``: ``-kernel image.kernel -initrd image.initrd_gptprio -append image.cmdline_gptprio``.
A node's own files (machine-id, host key, authorized_keys, address) go in as ``seed.pack(...)`` by fw_cfg; without an
address of its own eth0 asks DHCP, without a host key it makes one. ROOT is 4 GiB, the ESP is mounted at /boot.
"""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from coreops.errors import InputError
from coreops.events import Emit, Notice
from coreops.providers.namespace import disk, host
from coreops.providers.namespace.flavour import PLAIN, Flavour
from coreops.providers.namespace.image import bootstrap, cache_root, keep, make_releases, make_tree
from coreops.providers.namespace.recipe import RELEASES, SUITE, os_release
from coreops.providers.qemu import esp, initramfs, recipe, uki

PROGRAMS = {"mkfs.vfat": "dosfstools", "mcopy": "mtools", "sfdisk": "fdisk", **host.BUILD_PROGRAMS}
_NEEDED = 1536
"""MiB while it is built; a third of that stays."""
_SLOT = next(partition for partition in recipe.LAYOUT if partition.number == disk.SLOT_NUMBERS[0])


@dataclass(frozen=True, slots=True)
class Image:
    """One guest image in the cache."""

    folder: Path

    @property
    def disk(self) -> Path:
        """The disk every new node starts from."""
        return self.folder / "disk.img"

    def usr(self, release: str) -> Path:
        """The squashfs that goes into a USR partition."""
        return self.folder / f"usr-{release}.squashfs"

    def kernel_of(self, release: str) -> Path:
        """A release's kernel for ``uefi``: with the initramfs, as one EFI program."""
        return self.folder / f"linux-{release}.efi"

    @property
    def kernel(self) -> Path:
        """The bare kernel, for QEMU's -kernel."""
        return self.folder / "vmlinuz"

    @property
    def initrd_gptprio(self) -> Path:
        return self.folder / "initrd"

    @property
    def cmdline_gptprio(self) -> str:
        return f"{recipe.CMDLINE} coreops.usr=gptprio"

    @property
    def ovmf_code(self) -> Path:
        """The firmware; not to be written."""
        return self.folder / "ovmf-code.fd"

    @property
    def ovmf_vars(self) -> Path:
        """What the firmware's variables are on a new machine; every node has a copy."""
        return self.folder / "ovmf-vars.fd"


def put_release(image: Image, release: str, node_disk: Path) -> None:
    """Have a disk that was copied from the image, and has never booted, begin with another release."""
    with image.usr(release).open("rb") as source, node_disk.open("r+b") as target:
        target.seek(disk.offset(_SLOT.number, recipe.LAYOUT) * disk.MIB)
        shutil.copyfileobj(source, target, disk.MIB)
    esp.put(node_disk, esp.kernel_path(_SLOT), image.kernel_of(release))


def current(flavour: Flavour = PLAIN) -> Image:
    """The image of today's recipe, whether or not it has been built."""
    scripts = (content.decode() for _, content in initramfs.scripts().values())
    parts = (platform.machine(), disk.sfdisk_script(recipe.LAYOUT), *scripts, esp.entry(_SLOT, title="", version=1))
    return Image(cache_root() / f"qemu-{recipe.fingerprint(*parts, flavour=flavour)}")


def ensure(emit: Emit, flavour: Flavour = PLAIN) -> Image:
    """Return the image, building it when it is not in the cache."""
    image = current(flavour)
    if not image.folder.exists():
        _require()
    keep(image.folder, f"qemu{flavour.suffix}", lambda work: _build(work, flavour, emit), emit)
    return image


def _require() -> None:
    if platform.machine() != "x86_64":
        raise InputError(
            f"guest images are made for x86_64; this machine is {platform.machine()}",
            why="the packages are installed by running their own programs",
            next="build on an x86_64 machine, or take the namespace lab",
        )
    missing = host.missing_packages(PROGRAMS)
    if not host.KEYRING.exists():
        missing[str(host.KEYRING)] = "debian-archive-keyring"
    if missing:
        raise InputError(
            f"programs are missing on this machine: {', '.join(sorted(missing))}",
            why="guest images are built with them",
            next=f"apt-get install --no-install-recommends {' '.join(sorted(set(missing.values())))}",
        )
    root = cache_root()
    place = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(place).free // disk.MIB
    if free < _NEEDED:
        raise InputError(
            "there is no room to build the guest image",
            where=place,
            why=f"it takes {_NEEDED} MiB, and {free} MiB are free",
            next=f"free some space, remove images of older recipes from {root}, or name another folder in"
            " COREOPS_CACHE",
        )


def _build(work: Path, flavour: Flavour, emit: Emit) -> None:
    tree, parts, out = work / "tree", work / "parts", work / "out"
    image, flavour = Image(out), recipe.guest(flavour)
    what = f"the image{flavour.suffix} from Debian {SUITE} packages"
    emit(Notice(f"building {what} (once; {flavour.takes} with a near mirror)"))
    make_tree(tree, flavour, work / "build.log")
    bootstrap(parts, recipe.BOOT_PACKAGES, work / "parts.log", variant="extract")
    modules = _install_modules(parts, tree)
    emit(Notice(f"making releases {', '.join(RELEASES)}, each with a kernel"))
    make_releases(tree, out)
    _kernels(parts, tree, modules, image)
    for source, target in (("CODE", image.ovmf_code), ("VARS", image.ovmf_vars)):
        target.write_bytes((parts / f"usr/share/OVMF/OVMF_{source}.fd").read_bytes())
    (tree / "usr").rename(work / "usr")
    (tree / "usr").mkdir()
    disk.make_template(image.disk, image.usr(RELEASES[0]), tree, recipe.LAYOUT)
    manager = (parts / "usr/lib/systemd/boot/efi/systemd-bootx64.efi").read_bytes()
    kernel = image.kernel_of(RELEASES[0]).read_bytes()
    esp.write(image.disk, esp.files(manager, kernel, _SLOT, f"coreops lab {RELEASES[0]}"), work)


def _install_modules(parts: Path, tree: Path) -> Path:
    """Move the kernel's modules into the tree, and index them. Returns their folder."""
    source = next(parts.glob("lib/modules/*"))
    target = tree / "usr/lib/modules" / source.name
    target.parent.mkdir(exist_ok=True)
    for absent in recipe.ABSENT:
        shutil.rmtree(source / "kernel" / absent, ignore_errors=True)
    source.rename(target)
    host.run(["chroot", str(tree), "depmod", source.name])
    return target


def _kernels(parts: Path, tree: Path, modules: Path, image: Image) -> None:
    kernel = (parts / f"boot/vmlinuz-{modules.name}").read_bytes()
    initrd = initramfs.build(tree, parts / "bin/busybox", modules, recipe.MODULES)
    image.kernel.write_bytes(kernel)
    image.initrd_gptprio.write_bytes(initrd)
    stub = (parts / "usr/lib/systemd/boot/efi/linuxx64.efi.stub").read_bytes()
    for release in RELEASES:
        program = uki.build(stub, kernel=kernel, initrd=initrd, os_release=os_release(release))
        image.kernel_of(release).write_bytes(program)
