"""The real Ignition: its validator, and its ``files`` stage run into a directory that then is a machine's root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = Path("/usr/lib/dracut/modules.d/30ignition/ignition")
_MISSING = "ignition is not installed (apt-get install ignition)"
_ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\ncore:x:500:500::/home/core:/bin/sh\n",
    "shadow": "root:*:19000::::::\ncore:*:19000::::::\n",
    "group": "root:x:0:\nsudo:x:27:\nusers:x:100:\ndocker:x:233:\ncore:x:500:\n",
}


def validate(config: bytes) -> str:
    """What ignition-validate says: nothing, when it has neither errors nor warnings."""
    program = shutil.which("ignition-validate")
    if program is None:
        pytest.skip(_MISSING)
    done = subprocess.run([program, "-"], input=config, capture_output=True, timeout=60)
    return (done.stdout + done.stderr).decode() + (f"exit {done.returncode}" if done.returncode else "")


@contextmanager
def booted(config: bytes) -> Iterator[Path]:
    """A root that Ignition's stages wrote to, those that need no disk."""
    if not PROGRAM.exists():
        pytest.skip(_MISSING)
    if os.geteuid() != 0:
        pytest.skip("Ignition's files stage needs root")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # It writes a user's keys as that user.
        folder.chmod(0o711)
        _machine(folder)
        (folder / "config.ign").write_bytes(config)
        for stage in ("fetch", "files"):
            _stage(stage, folder)
        yield folder / "root"


def _machine(folder: Path) -> None:
    root = folder / "root"
    labels = root / "etc/selinux/targeted/contexts/files"
    for each in (labels, folder / "bin", root / "home/core"):
        each.mkdir(parents=True)
    os.chown(root / "home/core", 500, 500)
    (labels / "file_contexts").touch()
    (root / "etc/selinux/config").write_text("SELINUXTYPE=targeted\n")
    for file, text in _ACCOUNTS.items():
        (root / "etc" / file).write_text(text)
    # There is no SELinux here.
    (folder / "bin/setfiles").write_text("#!/bin/sh\n")
    (folder / "bin/setfiles").chmod(0o755)


def _stage(stage: str, folder: Path) -> None:
    environment = {
        "PATH": f"{folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "IGNITION_CONFIG_FILE": f"{folder}/config.ign",
    }
    arguments = ["-platform", "file", "-stage", stage, "-root", folder / "root", "-config-cache", folder / "run.ign"]
    more = ["-neednet", folder / "neednet", "-state-file", folder / "state", "-log-to-stdout"]
    done = subprocess.run([PROGRAM, *arguments, *more], capture_output=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
