"""Commands on a lab's node that do not come over ssh: from the machine below it, into the namespaces that it lives in.

For what a test does to a node and asks of it besides coreops: no login, no session, a twentieth of the time.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import IO

from coreops.providers.namespace import cgroup
from coreops.providers.namespace.lab import Lab

_ENTER = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LANG": "C.UTF-8",
}
_AWAY = 255
"""As ssh says that there is nobody."""


def run(
    lab: Lab, node: str, script: str, *, stdin: IO[bytes] | bytes | None = None, timeout: float = 180
) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script as root. Ends with 255 where the node is off, or too early in its boot to let people in."""
    pid = cgroup.init_process(lab.names_of(node).cgroup)
    if pid is None or not _lets_people_in(pid):
        return subprocess.CompletedProcess([node, script], _AWAY, b"", f"{node} is not up".encode())
    return subprocess.run(
        ["nsenter", f"--target={pid}", *_ENTER, "--", "sh", "-c", script],
        env=_ENVIRONMENT,
        timeout=timeout,
        check=False,
        capture_output=True,
        **({"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}),
    )


def sh(lab: Lab, node: str, script: str, *, check: bool = True, stdin: IO[bytes] | bytes | None = None) -> str:
    """Run a shell script as root, and return what it prints, without the space around it."""
    done = run(lab, node, script, stdin=stdin)
    said, complained = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    assert not check or done.returncode == 0, f"{node}: {script}: exit {done.returncode}\n{said}{complained}"
    return said.strip()


def _lets_people_in(pid: int) -> bool:
    """Does sshd listen, and is the boot so far that nobody is turned away? (Else coreops would not get in, either.)"""
    run = Path(f"/proc/{pid}/root/run")
    return (run / "sshd.pid").exists() and not (run / "nologin").exists()
