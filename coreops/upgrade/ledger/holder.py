"""Who this process is, as it signs its leases, and whether another process that signed on this machine still lives.

Reads /proc where there is one; elsewhere nobody is ever known to be gone.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from coreops.upgrade.ledger.protocol import Lease


@dataclass(frozen=True, slots=True)
class Holder:
    """One controller process. home: boot id, process id namespace and start time, "" where they cannot be known."""

    run: str
    owner: str
    pid: int = 0
    home: str = ""
    session: str = ""

    @classmethod
    def here(cls, run: str) -> Holder:
        """This process, with a new session."""
        home = "/".join([_machine(), _started(os.getpid())]) if _machine() else ""
        return cls(run, f"{_user()}@{os.uname().nodename}", os.getpid(), home, secrets.token_hex(8))

    def knows_gone(self, lease: Lease) -> bool:
        """Was the lease signed by a process of this very machine that has ended?"""
        machine, _, started = lease.home.rpartition("/")
        if not machine or machine != self.home.rpartition("/")[0]:
            return False
        return _started(lease.pid) != started


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def _machine() -> str:
    """Where a process id means one process: this boot of this machine, this namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began, in clock ticks; "" when there is none (any more). proc(5): fields 3 and 22."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode("ascii")
