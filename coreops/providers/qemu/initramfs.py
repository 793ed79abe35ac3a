"""Makes the initramfs: busybox, sfdisk, a few kernel modules and two scripts. The same input gives the same bytes."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from coreops.errors import CoreopsError
from coreops.providers.namespace.host import run

SFDISK = "usr/sbin/sfdisk"
_LOADER = "lib64/ld-linux-x86-64.so.2"
_END = "TRAILER!!!"


def scripts() -> dict[str, tuple[int, bytes]]:
    """What the kernel starts, and what that reads."""
    here = Path(__file__).parent
    return {"init": (0o755, (here / "init.sh").read_bytes()), "gptprio.sh": (0o644, (here / "gptprio.sh").read_bytes())}


def cpio(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    """Pack files (path: permissions, content) in the kernel's "newc" format, with the folders they need. Pure."""
    entries: dict[str, tuple[int, bytes]] = {}
    for name, (mode, content) in sorted(files.items()):
        for folder in list(Path(name).parents)[-2::-1]:
            entries.setdefault(str(folder), (stat.S_IFDIR | 0o755, b""))
        entries[name] = stat.S_IFREG | mode, content
    out = bytearray()
    for inode, (name, (mode, content)) in enumerate([*entries.items(), (_END, (0, b""))], start=1):
        path = name.encode() + b"\0"
        numbers = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        out += b"070701" + b"".join(b"%08X" % number for number in numbers) + path
        out += bytes(-len(out) % 4)
        out += content
        out += bytes(-len(out) % 4)
    return bytes(out)


def load_order(modules_dep: str, wanted: Iterable[str]) -> tuple[str, ...]:
    """The files to load for some modules, each after what it depends on; from depmod's modules.dep. Pure."""
    needs = {}
    for line in modules_dep.splitlines():
        file, _, rest = line.partition(":")
        needs[file] = rest.split()
    names = {Path(file).name.partition(".ko")[0].replace("-", "_"): file for file in needs}
    order: list[str] = []
    for name in wanted:
        if name not in names:
            raise CoreopsError(f"the kernel has no module {name}", next="have it built in, or take another kernel")
        # depmod lists the nearest first.
        order += [file for file in (*reversed(needs[names[name]]), names[name]) if file not in order]
    return tuple(order)


def build(tree: Path, busybox: Path, modules: Path, wanted: Iterable[str]) -> bytes:
    """Pack the initramfs. tree: where sfdisk and its libraries are installed; modules: /lib/modules/VERSION."""
    files = scripts() | {"bin/busybox": (0o755, busybox.read_bytes())}
    listed = run(["chroot", str(tree), f"/{_LOADER}", "--list", f"/{SFDISK}"]).stdout
    libraries = [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
    for library in libraries:
        files[library.lstrip("/")] = (0o755, _inside(tree, library).read_bytes())
    files["bin/sfdisk"] = (0o755, (tree / SFDISK).read_bytes())
    order = load_order((modules / "modules.dep").read_text(), wanted)
    files |= {f"modules/{Path(file).name}": (0o644, (modules / file).read_bytes()) for file in order}
    files["modules/order"] = (0o644, "".join(f"{Path(file).name}\n" for file in order).encode())
    return cpio(files)


def _inside(tree: Path, path: str) -> Path:
    """Follow a path's links as a process in the tree would."""
    return tree / run(["chroot", str(tree), "readlink", "-f", path]).stdout.strip().lstrip("/")
