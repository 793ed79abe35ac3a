"""`coreops lab up --driver qemu`: three virtual machines to ssh, beside one alone. Linux, root, a quiet machine."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from coreops.providers.namespace.flavour import PLAIN
from coreops.providers.namespace.lab import Lab
from coreops.providers.qemu import image
from coreops.providers.qemu.accel import KVM
from coreops.providers.qemu.start import accelerator, silent

Row = dict[str, Any]
NODES = 3
COMPARISON = "virtual machines of a lab, from nothing to ssh"


def compare(rounds: int) -> list[Row]:
    """One alone and three at once, in turns. The aim: at most 1.3 times the slowest alone x (3 / processors)."""
    image.ensure(silent, PLAIN)
    kind = "KVM" if accelerator(silent) == KVM else "emulated"
    alone, together = [], []
    for _ in range(rounds):
        alone.append(_seconds(1))
        together.append(_seconds(NODES))
    shares = NODES / min(NODES, os.cpu_count() or 1)
    wall = median(together)
    return [
        {"comparison": COMPARISON, "tool": f"one alone, {kind}", "wall": max(alone), "rounds": rounds},
        {
            "comparison": COMPARISON,
            "tool": f"three at once, {kind}",
            "wall": wall,
            "of_alone": wall / (max(alone) * shares),
            "rounds": rounds,
        },
    ]


def _seconds(nodes: int) -> float:
    folder, name = Path(tempfile.mkdtemp(prefix="coreops-bench-")), f"bench-vm{os.getpid()}"
    try:
        began = time.perf_counter()
        Lab.up(name, nodes, inventory_folder=folder / "inventory", driver="qemu")
        return time.perf_counter() - began
    finally:
        Lab.down(name)
        shutil.rmtree(folder)
