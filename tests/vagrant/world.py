"""A libvirt and a network of its own, for one test: namespaces in which everything ends with the test.

The host's libvirt, if there is one, sees none of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETUP = """\
set -eu
cd "$1"
mkdir -p etc run/libvirt lib log cache home/.vagrant.d
cat >etc/qemu.conf <<EOF
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
stdio_handler = "file"
EOF
echo 'auth_unix_rw = "none"' >etc/libvirtd.conf
mkdir -p /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
mount --bind etc /etc/libvirt
mount -t tmpfs none /run
mkdir /run/libvirt
for each in lib log cache; do mount --bind "$each" "/var/$each/libvirt"; done
ip link set lo up
libvirtd -d -f /etc/libvirt/libvirtd.conf
# As the first process it must take leave of what libvirt leaves behind: else that waits for dead machines for ever.
sleep infinity &
wait
"""


FLAGS = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
NEEDED = """\
set -eu
mount -t tmpfs none /run
ip link add br0 type bridge
ip tuntap add dev tap0 mode tap
"""


def lacks() -> str | None:
    """Why libvirt cannot run here, in a container for example."""
    done = subprocess.run(
        ["unshare", *FLAGS, "sh", "-c", NEEDED], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return None if done.returncode == 0 else done.stderr.strip() or f"exit status {done.returncode}"


class World:
    """Where ``vagrant`` finds the libvirt that was made for it. Begins with ``start``, ends with ``stop``."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._folder = folder
        self._cache = cache
        self._process: subprocess.Popen[bytes] | None = None
        self._pids = ""

    def start(self) -> None:
        with (self._folder / "world.log").open("wb") as log:
            self._process = subprocess.Popen(
                # Whoever kills the tests ends it too.
                ["setpriv", "--pdeathsig", "KILL", "unshare", *FLAGS, "sh", "-c", SETUP, "sh", str(self._folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 300
        while self.run("virsh", "-c", "qemu:///system", "version", check=False).returncode != 0:
            assert self._process.poll() is None, (self._folder / "world.log").read_text()
            assert time.monotonic() < deadline, "libvirtd does not answer"
            time.sleep(0.3)
        self._pids = os.readlink(f"/proc/{self._init()}/ns/pid")

    def stop(self) -> None:
        """End all that runs in here. Bridges, taps and mounts are in namespaces, which end with their last process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            deadline = time.monotonic() + 60
            while left := self.processes():
                assert time.monotonic() < deadline, f"these processes stay: {left}"
                time.sleep(0.1)

    def processes(self) -> Mapping[int, str]:
        """What runs in here, by the host's numbers."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile
                if os.readlink(entry / "ns/pid") == self._pids:
                    found[int(entry.name)] = (entry / "comm").read_text().strip()
        return found

    def _init(self) -> int:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0]) if children else self._process.pid

    def run(
        self,
        *argv: str,
        cwd: Path = ROOT,
        check: bool = True,
        timeout: float = 120,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in here, with stderr in stdout."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._init()), "-m", "-n", "-p", f"--wdns={cwd}", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, **self._environment(), **(env or {})},
        )
        assert not check or done.returncode == 0, f"{' '.join(argv)}\n{_last(done.stdout)}"
        return done

    def _environment(self) -> Mapping[str, str]:
        home = self._folder / "home"
        return {
            "HOME": str(home),
            "VAGRANT_HOME": str(home / ".vagrant.d"),
            "VAGRANT_DEFAULT_PROVIDER": "libvirt",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "COREOPS": str(Path(sys.executable).with_name("coreops")),
            "COREOPS_CACHE": str(self._cache),
        }


def _last(text: str, lines: int = 60) -> str:
    # Vagrant shows progress by rewriting a line.
    said: Sequence[str] = [line.rsplit("\r", 1)[-1] for line in text.splitlines()]
    return "\n".join(said[-lines:])
