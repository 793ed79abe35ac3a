"""Keeps the host's udev away from a lab's disks.

Every node's disk has CoreOS's partition labels. Without this the host's /dev/disk/by-partlabel/ROOT, by-label and
by-uuid would point into a lab, which on a CoreOS-style host are the names of its own disk.
"""

from __future__ import annotations

import re
from pathlib import Path

from coreops.providers.namespace.host import run, write_atomically
from coreops.providers.namespace.names import LabNames

_RUN = Path("/run/udev")


def rule(folder: Path) -> str:
    """Return the rule for loop devices with a file below the folder, and for their partitions. Pure."""
    # "?" matches any one character, so nothing in a path can end the quotes or be taken for a pattern.
    pattern = re.sub(r"[^\w/. @:+-]", "?", str(folder), flags=re.ASCII)
    fields = (
        'ACTION!="remove"',
        'SUBSYSTEM=="block"',
        'KERNEL=="loop*"',
        f'ATTRS{{loop/backing_file}}=="{pattern}/*"',
        'ENV{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}="1"',
        'ENV{UDISKS_IGNORE}="1"',
        'ENV{SYSTEMD_READY}="0"',
        # Else every write of the partition table is followed by events, and udev opens the disk once more.
        'OPTIONS:="nowatch"',
    )
    return ", ".join(fields) + "\n"


def rules_file(names: LabNames) -> Path:
    """Where a lab's rule stands: before those that make links (60), and gone after a reboot of the host."""
    return _RUN / f"rules.d/59-coreops-lab-{names.lab}.rules"


def ensure(names: LabNames) -> None:
    """Install the lab's rule where the host has a udev."""
    file, text = rules_file(names), rule(names.folder)
    if not (_RUN / "control").exists() or (file.exists() and file.read_text() == text):
        return
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, text)
    _reload()


def remove(names: LabNames) -> None:
    """Take the lab's rule away. Its disks must be detached."""
    file = rules_file(names)
    if file.exists():
        file.unlink()
        _reload()


def _reload() -> None:
    # Not checked: udev also looks for changed rules by itself, every few seconds.
    run(["udevadm", "control", "--reload", "--timeout=5"], check=False)
