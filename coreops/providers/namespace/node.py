"""One node seen from outside: make its files, switch it on, read back how it is, clear away what it left."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coreops.errors import CoreopsError
from coreops.providers.namespace import cgroup, disk, network
from coreops.providers.namespace.gpt import Slot
from coreops.providers.namespace.host import lock_held, wait_until, write_atomically
from coreops.providers.namespace.keys import KeyPair
from coreops.providers.namespace.names import NodeNames
from coreops.providers.namespace.plan import NodePlan


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """How a node is.

    state: running, frozen, booting, off, unbootable, orphan (its launcher was killed; it runs, but cannot reboot), dead
    (neither it nor its launcher runs, and nobody switched it off). pid: of its init, on the host. slot and release:
    what is mounted at /usr right now.
    """

    node: str
    address: str
    zone: str
    state: str
    link: str
    pid: int | None
    slot: str | None
    release: str | None
    slots: tuple[Slot, ...]

    def to_dict(self) -> dict[str, Any]:
        data = asdict(self)
        data["slots"] = {
            slot.label: {"priority": slot.priority, "tries": slot.tries, "successful": slot.successful}
            for slot in self.slots
        }
        return data


def own_files(node: NodePlan, host_key: KeyPair, authorized: str) -> dict[str, tuple[int, str]]:
    """What is a node's own on ROOT, path -> permissions and content: who it is, and whom it lets in. Pure."""
    return {
        "etc/machine-id": (0o444, node.machine_id + "\n"),
        "etc/hostname": (0o644, node.name + "\n"),
        "etc/hosts": (0o644, f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{node.address} {node.name}\n"),
        "etc/ssh/ssh_host_ed25519_key": (0o600, host_key.private),
        "etc/ssh/ssh_host_ed25519_key.pub": (0o644, host_key.public + "\n"),
        "home/core/.ssh/authorized_keys": (0o600, authorized + "\n"),
    }


_IDLE_GENERATORS = (
    *("cryptsetup", "debug", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "rc-local", "run"),
    *("system-update", "sysv", "veritysetup"),
)
# Debian's, without the message of the day, which four programs put together at each login for nobody (PrintMotd no).
_SSHD_PAM = """\
@include common-auth
account required pam_nologin.so
@include common-account
session required pam_loginuid.so
session optional pam_keyinit.so force revoke
@include common-session
session required pam_limits.so
session required pam_env.so
session required pam_env.so envfile=/etc/default/locale
@include common-password
"""
_THRIFT: dict[str, tuple[int, str]] = {
    "etc/pam.d/sshd": (0o644, _SSHD_PAM),
    # An empty file masks a generator; that these find nothing to do is half of what a daemon-reload costs.
    **{f"etc/systemd/system-generators/systemd-{name}-generator": (0o644, "") for name in _IDLE_GENERATORS},
    # core's user manager starts with the node: to start and stop it around each login costs more than the login itself.
    "var/lib/systemd/linger/core": (0o644, ""),
}


def ensure_files(names: NodeNames, node: NodePlan, template: Path, host_key: KeyPair, authorized: str) -> None:
    """Make the node's disk and seed, as far as they are missing."""
    names.folder.mkdir(parents=True, exist_ok=True)
    for name, (mode, text) in (own_files(node, host_key, authorized) | _THRIFT).items():
        file = names.seed / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text, mode)
    if not names.disk.exists():
        disk.copy_image(template, names.disk)


def launch(names: NodeNames) -> None:
    """Switch the node on. The launcher outlives the caller."""
    write_atomically(names.power_file, "on")
    names.run_file.unlink(missing_ok=True)
    module = "coreops.providers.namespace.launcher"
    command = ["setsid", "--fork", "unshare", "--mount", "--propagation", "slave", "--"]
    command += [sys.executable, "-P", "-m", module, names.lab.lab, names.node]
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "COREOPS_LAB_STATE": str(names.lab.root),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    with names.log.open("ab") as log:
        pid = os.posix_spawnp(
            "setsid",
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
            ],
        )
    os.waitpid(pid, 0)


def run_state(names: NodeNames) -> dict[str, Any]:
    """What the launcher last said; empty before it said anything."""
    try:
        told: dict[str, Any] = json.loads(names.run_file.read_text())
    except FileNotFoundError:
        return {}
    return told


def wait_ready(names: NodeNames, node: NodePlan, timeout: float) -> None:
    """Wait until the node lets people in over ssh. Raises CoreopsError with the end of its console."""
    started = time.monotonic()

    def trouble() -> str | None:
        if in_emergency(names):
            return "the node's systemd went into emergency mode"
        # Grace: the launcher holds its lock before it says anything.
        early = time.monotonic() - started < 10.0 and not run_state(names)
        return None if early or lock_held(names.lock) else "the node did not come up"

    wait_until(lambda: is_ready(names, node) or trouble() is not None, timeout)
    if is_ready(names, node):
        return
    tail = names.log.read_text(errors="replace").splitlines()[-12:] if names.log.exists() else []
    raise CoreopsError(
        trouble() or f"the node did not answer on ssh within {timeout:g} s",
        where=node.name,
        why="\n".join(tail) or "its launcher wrote nothing",
        next=f"coreops lab logs {node.name} --name {names.lab.lab}; coreops lab down --name {names.lab.lab}",
    )


def in_emergency(names: NodeNames) -> bool:
    """Say whether systemd gave this boot up, as without a mount it needs: it waits for somebody at the console."""
    pid = cgroup.init_process(names.cgroup)
    return pid is not None and Path(f"/proc/{pid}/root/run/systemd/units/invocation:emergency.service").is_symlink()


def is_ready(names: NodeNames, node: NodePlan) -> bool:
    """Say whether sshd answers and pam would not turn users away because the system is still booting."""
    pid = cgroup.init_process(names.cgroup)
    if pid is None or cgroup.frozen(names.cgroup):
        return False
    run_folder = Path(f"/proc/{pid}/root/run")
    # Before systemd has set up /run there is no nologin file in it either.
    if not (run_folder / "systemd/system").is_dir() or (run_folder / "nologin").exists():
        return False
    # sshd writes it when it listens. To look for its socket is to go through all connections of the machine.
    if not (run_folder / "sshd.pid").exists():
        return False
    if network.is_cut(names):
        return True
    try:
        with socket.create_connection((node.address, 22), timeout=5.0) as connection:
            # A client that says nothing would be an error in the node's journal.
            connection.sendall(b"SSH-2.0-coreops_lab\r\n")
            return connection.recv(256).startswith(b"SSH-")
    except OSError:
        return False


def status(names: NodeNames, node: NodePlan) -> NodeStatus:
    """Read the node's state back from processes, mounts, links and the disk itself."""
    pid, launched = cgroup.init_process(names.cgroup), lock_held(names.lock)
    if pid is not None:
        state = ("frozen" if cgroup.frozen(names.cgroup) else "running") if launched else "orphan"
    elif launched:
        state = "booting"
    else:
        state = run_state(names).get("state", "off")
        state = state if state in ("off", "unbootable") else "dead"
    loops = disk.loops_below(names.disk)
    device = Path("/dev") / next(iter(loops)) if loops else names.disk
    slots: tuple[Slot, ...] = ()
    # A wrecked or missing partition table is a state to show, not an error.
    with suppress(CoreopsError):
        slots = disk.read_slots(device)
    slot = _mounted_slot(pid, slots) if pid else None
    return NodeStatus(
        node=node.name,
        address=node.address,
        zone=node.zone,
        state=state,
        link="cut" if network.is_cut(names) else "up",
        pid=pid,
        slot=slot.label if slot else None,
        release=_release(pid) if slot else None,
        slots=slots,
    )


def _mounted_slot(pid: int, slots: Sequence[Slot]) -> Slot | None:
    try:
        lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    except OSError:  # it ends just now; the kernel says EINVAL too, when it has given up its mounts
        return None
    sources = {line.split()[4]: line.partition(" - ")[2].split()[1] for line in lines}
    return next((slot for slot in slots if sources.get("/usr") == f"/dev/vda{slot.number}"), None)


def _release(pid: int | None) -> str | None:
    try:
        text = Path(f"/proc/{pid}/root/usr/lib/os-release").read_text()
    except OSError:
        return None
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return fields.get("VERSION_ID", "").strip('"') or None


def clear(names: NodeNames) -> None:
    """End the node and its launcher, whatever is left of them, and free its disk. The disk keeps its content."""
    cgroup.kill(names.launcher_cgroup)
    cgroup.kill(names.cgroup)
    for loop in disk.loops_below(names.disk):
        disk.detach(loop)


def remove_files(names: NodeNames) -> None:
    """Delete the node's folder."""
    if names.folder.exists():
        shutil.rmtree(names.folder)
