"""What the comparisons of upgrades share: a lab of three nodes with etcd, a channel, and a clock beside coreops that
looks at nodes from outside. Needs Linux and root. Everything is gone after ``close``.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import measure
import tools

from coreops.providers.namespace.lab import Lab

SOAK = 5.0
IMAGE_MIB = 240
"""Of random bytes: nothing gets smaller on the way, and it fits a slot of 256 MiB."""
_EVERY = 0.05


class UpgradeLab:
    """A lab, its inventory, and a channel with both releases of the lab and two images of noise."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="coreops-bench-"))
        self.name = f"bench-{os.getpid()}"
        self.inventory = self.folder / "inventories" / self.name
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def coreops(self, *words: str) -> measure.Cost:
        """Run a command; its output is in ``log``."""
        return measure.run([str(tools.coreops() / "coreops"), *words], self.folder, self.log)

    @property
    def log(self) -> Path:
        return self.folder / "coreops.log"

    def newest_run(self) -> Path:
        """The log of the rollout that ran last."""
        return max((self.folder / ".coreops" / "runs").glob("*/rollout.jsonl"))

    def ssh(self, node: str, *command: str, cipher: str = "") -> list[str]:
        """The command line of OpenSSH's client."""
        options = ["-F", "none", "-i", str(self.inventory / "id_ed25519"), "-o", "BatchMode=yes"]
        options += ["-o", f"UserKnownHostsFile={self.inventory / 'known_hosts'}"]
        return ["ssh", *options, *(["-c", cipher] if cipher else []), f"core@{self.addresses[node]}", *command]

    def close(self) -> None:
        """Take the lab down and remove the folder."""
        Lab.down(self.name)
        shutil.rmtree(self.folder)

    def _make(self) -> None:
        lab = Lab.up(self.name, 3, inventory_folder=self.inventory)
        self.addresses = {node.name: node.address for node in lab.nodes}
        self.coreops("bootstrap", str(self.inventory))
        self.coreops("channel", "init")
        for version in ("1.0.0", "1.1.0"):
            self._publish(lab.image.usr(version), version, "stable")
        self.noise = self.folder / "noise.img"
        for version in ("9.0.1", "9.0.2"):
            with self.noise.open("wb") as stream:
                for _ in range(IMAGE_MIB):
                    stream.write(os.urandom(1 << 20))
            self._publish(self.noise, version, "noise")
        (self.inventory / "group_vars").mkdir(exist_ok=True)
        (self.inventory / "group_vars" / "all.yml").write_text(
            f"upgrade_repository: {self.folder}/channel\nupgrade_root: {self.folder}/channel.keys/root.json\n"
            f"upgrade_channel: stable\nupgrade_soak: {SOAK}\n"
        )

    def _publish(self, image: Path, version: str, channel: str) -> None:
        self.coreops("channel", "publish", str(image), "--version", version, "--channel", channel)


class Watch:
    """Asks sshd for its banner and etcd for its health, over and over, and remembers when both began to answer.

    It knows nothing of coreops; its clock is the wall's, as the rollout's log has that.
    """

    def __init__(self, lab: UpgradeLab) -> None:
        self._context = ssl.create_default_context(cafile=str(lab.inventory / "pki" / "ca.crt"))
        self._context.check_hostname = False
        self._context.load_cert_chain(lab.inventory / "pki" / "client.crt", lab.inventory / "pki" / "client.key")
        self.seen: dict[str, list[tuple[float, bool]]] = {name: [] for name in lab.addresses}
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._look, args=each) for each in lab.addresses.items()]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def well_again(self, node: str, after: float) -> float:
        """When the node was well for the first time after it was away, after this moment."""
        later = [(moment, well) for moment, well in self.seen[node] if moment > after]
        away = next(moment for moment, well in later if not well)
        return next(moment for moment, well in later if moment > away and well)

    def _look(self, name: str, address: str) -> None:
        seen = self.seen[name]
        while not self._ended.wait(_EVERY):
            well = False
            with contextlib.suppress(OSError, http.client.HTTPException):
                well = _greets(address) and self._healthy(address)
            if not seen or seen[-1][1] != well:
                seen.append((time.time(), well))

    def _healthy(self, address: str) -> bool:
        connection = http.client.HTTPSConnection(address, 2379, timeout=0.5, context=self._context)
        try:
            connection.request("GET", "/health")
            return b'"true"' in connection.getresponse().read()
        finally:
            connection.close()


def _greets(address: str) -> bool:
    with socket.create_connection((address, 22), timeout=0.5) as sock:
        return sock.recv(4) == b"SSH-"


def seconds(command: list[str], stdin: Path | None = None) -> float:
    """How long a command takes."""
    with (stdin or Path(os.devnull)).open("rb") as stream:
        began = time.perf_counter()
        subprocess.run(command, stdin=stream, check=True, capture_output=True)
        return time.perf_counter() - began
