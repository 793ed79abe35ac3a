"""Builds the lab's images from Debian packages, once per recipe, and keeps them by content hash. Knows no lab.

A cached image is a folder: ``usr-<release>.squashfs`` for every release and ``disk.img``, the disk of a new node.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from coreops.errors import CoreopsError
from coreops.events import Emit, Notice
from coreops.providers.namespace import disk, eviction, recipe
from coreops.providers.namespace.flavour import PLAIN, Flavour
from coreops.providers.namespace.host import KEYRING, locked_folder, run, wait_until


@dataclass(frozen=True, slots=True)
class Image:
    """One image in the cache."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.img"

    def usr(self, release: str) -> Path:
        """The squashfs that goes into a USR partition."""
        return self.folder / f"usr-{release}.squashfs"

    def kernel_of(self, release: str) -> None:
        """Nodes have the host's kernel."""


def cache_root() -> Path:
    """Where images are kept: $COREOPS_CACHE, or ~/.cache/coreops."""
    given = os.environ.get("COREOPS_CACHE")
    base = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coreops"
    return base / "images"


def current(flavour: Flavour = PLAIN) -> Image:
    """The image of today's recipe, whether or not it has been built."""
    return Image(cache_root() / recipe.fingerprint(platform.machine(), disk.sfdisk_script(), flavour=flavour))


def ensure(emit: Emit, flavour: Flavour = PLAIN) -> Image:
    """Return the image, building it when it is not in the cache."""
    image = current(flavour)
    keep(image.folder, f"namespace{flavour.suffix}", lambda work: _build(work, flavour, emit), emit)
    return image


def keep(folder: Path, kind: str, build: Callable[[Path], None], emit: Emit) -> None:
    """Have a folder in the cache: what ``build`` leaves in ``out``, in the folder it is given. Whole or not at all.

    Two builders wait for each other; what a killed one left is cleared away by the next, and so are images of that kind
    which nobody has asked for lately.
    """
    if folder.exists():
        os.utime(folder)
        return
    with locked_folder(cache_root()):
        if folder.exists():
            return
        for left_over in cache_root().glob(".build-*"):
            shutil.rmtree(left_over)
        work = Path(tempfile.mkdtemp(prefix=".build-", dir=cache_root()))
        mask = os.umask(0o022)
        try:
            work.chmod(0o755)
            (work / "out").mkdir()
            build(work)
            eviction.label(work / "out", kind)
            (work / "out").rename(folder)
        finally:
            os.umask(mask)
            _remove_tree(work)
        eviction.tidy(folder, emit)


def _remove_tree(folder: Path) -> None:
    # The processes of an interrupted build end a moment later than it does, and may write until then.
    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    if not wait_until(gone, 10.0):
        shutil.rmtree(folder)


def _build(work: Path, flavour: Flavour, emit: Emit) -> None:
    tree, out = work / "tree", work / "out"
    what = f"the image{flavour.suffix} from Debian {recipe.SUITE} packages"
    emit(Notice(f"building {what} (once; {flavour.takes} with a near mirror)"))
    make_tree(tree, flavour, work / "build.log")
    emit(Notice(f"making releases {', '.join(recipe.RELEASES)}"))
    make_releases(tree, out)
    (tree / "usr").rename(work / "usr")
    (tree / "usr").mkdir()
    disk.make_template(out / "disk.img", out / f"usr-{recipe.RELEASES[0]}.squashfs", tree)


def make_tree(tree: Path, flavour: Flavour, log: Path) -> None:
    """Install a node's system into a folder, as the recipe and the flavour say."""
    bootstrap(tree, (*recipe.PACKAGES, *flavour.packages), log)
    _customise(tree, flavour)


def make_releases(tree: Path, out: Path) -> None:
    """Pack the tree's /usr as every release there is."""
    for release in recipe.RELEASES:
        (tree / "usr/lib/os-release").write_text(recipe.os_release(release))
        flags = ["-noappend", "-quiet", "-no-progress", "-comp", "zstd", "-Xcompression-level", "3"]
        run(["mksquashfs", str(tree / "usr"), str(out / f"usr-{release}.squashfs"), *flags])


def bootstrap(tree: Path, packages: Iterable[str], log: Path, *, variant: str = "essential") -> None:
    """Install Debian packages into a folder; variant "extract": only unpack them, with all that they depend on."""
    mirror = os.environ.get("COREOPS_LAB_MIRROR")
    command = [
        # In namespaces of its own that die with this process, so that a killed build leaves no mount and no process.
        *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "slave"),
        *("--pid", "--fork", "--kill-child", "--mount-proc", "--"),
        *("mmdebstrap", "--mode=root", f"--variant={variant}", f"--keyring={KEYRING}"),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.EXCLUDED),
        "--dpkgopt=force-unsafe-io",
        f"--include={','.join(packages)}",
        recipe.SUITE,
        str(tree),
        *([mirror] if mirror else []),
    ]
    with log.open("wb") as stream:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream).returncode
    if code != 0:
        raise CoreopsError(
            f"mmdebstrap could not build the image (exit status {code})",
            why="\n".join(log.read_text(errors="replace").splitlines()[-15:]),
            next="check that the Debian mirror is reachable, or name one in COREOPS_LAB_MIRROR",
        )


def _customise(tree: Path, flavour: Flavour) -> None:
    run(["chroot", str(tree), "groupadd", "--gid", str(recipe.CORE_UID), "core"])
    user = ["--uid", str(recipe.CORE_UID), "--gid", "core", "--create-home", "--shell", "/bin/bash"]
    run(["chroot", str(tree), "useradd", *user, "--groups", "sudo,systemd-journal", "core"])
    _remove(tree, (*recipe.REMOVED, *flavour.removed))
    for name, (mode, content) in {**recipe.FILES, **flavour.files}.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(content)
        file.chmod(mode)
    for unit in (*recipe.MASKED, *flavour.masked):
        link = tree / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")


def _remove(tree: Path, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for path in tree.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
