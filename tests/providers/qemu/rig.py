"""Machines of real QEMU, with a firmware of a few bytes, as the conformance suite wants them.

QEMU is started through a script that is first in the PATH; it refuses, or loses the answer, when a file says so.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from coreops.model import Position
from coreops.providers.namespace import network as switch
from coreops.providers.protocol import Machine, Wanted, mark
from coreops.providers.qemu import process
from coreops.providers.qemu.argv import PROGRAM
from coreops.providers.qemu.disks import Disks
from coreops.providers.qemu.place import Cluster, subnets
from coreops.providers.qemu.provider import Qemu
from tests.providers.conformance import CLUSTER
from tests.providers.qemu import tiny

HERE = Position("hosts.yml", 3)
CLUSTERS = (CLUSTER, "somebody-elses")
_SHIM = """\
#!/bin/sh
case $* in *-no-reboot*) ;; *) exec {real} "$@" ;; esac
if [ -e {faults}/refuse ]; then cat {faults}/refuse >&2; exit 1; fi
if [ -s {faults}/lose ]; then
  count=$(cat {faults}/lose)
  if [ "$count" -gt 0 ]; then
    echo $((count - 1)) >{faults}/lose
    # whoever waits for the supervisor's word
    kill -9 "$(cut -d' ' -f4 "/proc/$PPID/stat")"
  fi
fi
exec {real} "$@"
"""


@dataclass
class QemuRig:
    """folder: everything is in it, but for network namespaces, which ``end`` takes away."""

    folder: Path
    provider: Qemu = field(init=False)

    def __post_init__(self) -> None:
        real = shutil.which(PROGRAM)
        assert real is not None
        shim = self.folder / "bin" / PROGRAM
        shim.parent.mkdir()
        shim.write_text(_SHIM.format(real=shlex.quote(real), faults=shlex.quote(str(self.folder))))
        shim.chmod(0o755)
        os.environ["PATH"] = f"{shim.parent}:{os.environ['PATH']}"
        (self.folder / "own image.raw").write_bytes(bytes(1 << 20))
        self.provider = Qemu(
            self.folder,
            self.folder / "state",
            disks=Disks(firmware=tiny.install(self.folder)),
            ready=lambda address: True,
            grace=0.1,
        )

    def wanted(self, node: str, cluster: str = CLUSTER) -> Wanted:
        settings = {"qemu_memory": 128, "qemu_image": "own image.raw"}
        return Wanted(node, cluster, f"#cloud-config\nhostname: {node}\n".encode(), settings, HERE)

    def resized(self, wanted: Wanted) -> Wanted:
        return replace(wanted, settings={**wanted.settings, "qemu_memory": 256})

    def ids(self) -> set[str]:
        """Of processes below the folder, and of machines that are off."""
        off = {each.id for cluster in CLUSTERS for each in Cluster(cluster, self.provider.root).records()}
        return off | {name for name, _ in self._running()}

    def stranger(self) -> str:
        folder = self.folder / "n1"
        folder.mkdir()
        words = [PROGRAM, "-name", "guest=n1", "-machine", "none", "-display", "none", "-daemonize"]
        subprocess.run([*words, "-pidfile", str(folder / "pid")], check=True, stdin=subprocess.DEVNULL)
        return "n1"

    def lose_answers(self, count: int) -> None:
        (self.folder / "lose").write_text(f"{count}\n")

    def refuse(self, told: str | None) -> None:
        if told is None:
            (self.folder / "refuse").unlink()
        else:
            (self.folder / "refuse").write_text(told)

    def vanish(self, machine: Machine) -> None:
        folder = Cluster(CLUSTER, self.provider.root).nodes_folder / mark(CLUSTER, machine.node)
        process.kill(folder / "vm")
        shutil.rmtree(folder)

    def settle(self) -> None:
        """They run at once."""

    def end(self) -> None:
        """Take everything away."""
        for name, folder in self._running():
            assert name
            process.kill(folder)
        for cluster in CLUSTERS:
            switch.remove(Cluster(cluster, self.provider.root).names)
        assert not list(self._running())
        assert len(list(subnets(self.provider.root))) <= len(CLUSTERS)

    def _running(self) -> Iterator[tuple[str, Path]]:
        """Names and folders of whatever works in the folder: supervisors, and QEMU."""
        for each in Path("/proc").glob("[0-9]*"):
            try:
                words = (each / "cmdline").read_bytes().decode(errors="replace").split("\0")
                where = (each / "cwd").readlink()
            except OSError:
                continue
            # a stranger's QEMU went to the background by itself, which leads it to /
            if "-pidfile" in words:
                where = Path(words[words.index("-pidfile") + 1]).parent
            names = [word.removeprefix("guest=") for word in words if re.fullmatch("guest=[^,]*", word)]
            if names and self.folder in where.parents:
                yield names[0], where
