"""The sh of every module, as files to read in ``golden/``; shellcheck finds nothing in any of it.

``COREOPS_GOLDEN=write`` writes them anew.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from coreops.model import FileStep, Step
from tests.modules.harness import steps_of

GOLDEN = Path(__file__).with_name("golden")
SHELLCHECK = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
PLACED = {"mode": "u=rw,go=r", "owner": "root", "group": "0"}

CASES: dict[str, tuple[str, Any]] = {
    "command": ("command", {"argv": ["printf", "%s", "it's", "$HOME"], "creates": "/var/lib/x y/*"}),
    "command_stdin": ("command", {"cmd": "cat -", "stdin": "text", "removes": "/a"}),
    "copy": ("copy", {"content": "a", "dest": "/etc/a b", **PLACED}),
    "copy_backup": (
        "copy",
        {"content": "a", "dest": "/etc/a", "backup": True, "validate": "x -f %s 'y z'", "follow": True},
    ),
    "copy_remote": ("copy", {"src": "/a/", "dest": "/b", "remote_src": True, "mode": "preserve"}),
    "copy_steps": ("copy", {"src": "tree", "dest": "/etc/x"}),
    "file_any": ("file", {"path": "/etc/it's", "mode": "0640", "owner": "root"}),
    "file_directory": ("file", {"path": "/etc/d", "state": "directory", **PLACED}),
    "file_hard": ("file", {"path": "/a", "src": "/b", "state": "hard"}),
    "file_recurse": ("file", {"path": "/a", "recurse": True, "mode": "u=rwX,go=", "group": "core"}),
    "file_steps": ("file", {"path": "/etc/d", "state": "directory", "mode": "0755"}),
    "file_touch": ("file", {"path": "/a", "state": "touch", "modification_time": "preserve"}),
    "get_url": (
        "get_url",
        {"url": "https://h/f.tgz", "dest": "/opt/", "checksum": "sha256:" + "a" * 64, "mode": "0644"},
    ),
    "get_url_list": (
        "get_url",
        {"url": "https://h/f", "dest": "/f", "checksum": "sha1:https://h/l", "headers": {"a": "b"}},
    ),
    "group": ("group", {"name": "core", "gid": 500, "non_unique": True, "system": True}),
    "group_absent": ("group", {"name": "core", "state": "absent"}),
    "lineinfile": (
        "lineinfile",
        {"path": "/etc/f", "regexp": r"^#?x\s*=", "line": "x = it's", "insertafter": "^y", **PLACED},
    ),
    "lineinfile_absent": ("lineinfile", {"path": "/etc/f", "line": "x", "state": "absent", "backup": True}),
    "lineinfile_backrefs": ("lineinfile", {"path": "/etc/f", "regexp": "(?i)(a)/b", "line": r"\1&", "backrefs": True}),
    "ping": ("ping", {}),
    "reboot": ("reboot", {"msg": "it's time", "test_command": "true", "pre_reboot_delay": 3}),
    "script": ("script", "run.sh 'a b'"),
    "script_binary": ("script", "prog 'a b'"),
    "setup": ("setup", {}),
    "shell": ("shell", {"cmd": "echo it's | wc -c", "executable": "/bin/bash", "creates": "/x"}),
    "stat": ("stat", {"path": "/etc/passwd"}),
    "systemd": (
        "systemd",
        {"name": "etcd", "state": "started", "enabled": True, "daemon_reload": True, "no_block": True},
    ),
    "systemd_masked": ("systemd", {"name": "x", "masked": True, "enabled": False, "state": "stopped"}),
    "systemd_restarted": ("systemd", {"name": "x", "state": "restarted"}),
    "template": ("template", {"src": "t.j2", "dest": "/etc/t", "backup": True}),
    "unarchive": ("unarchive", {"src": "a.tgz", "dest": "/opt/x y", "extra_opts": "--strip-components=1", **PLACED}),
    "unarchive_remote": ("unarchive", {"src": "/a.zip", "dest": "/opt/x", "remote_src": True, "exclude": "a*"}),
    "user": ("user", {"name": "core", "uid": 500, "groups": "a,b", "append": True, "password": "!", "home": "/h o"}),
    "user_absent": ("user", {"name": "core", "state": "absent", "remove": True}),
    "user_groups": ("user", {"name": "core", "groups": [], "password_lock": True, "shell": "/bin/bash"}),
    "wait_for": ("wait_for", {"port": 2379, "timeout": 30}),
    "wait_for_drained": ("wait_for", {"port": 2379, "state": "drained"}),
    "wait_for_path": ("wait_for", {"path": "/x", "search_regex": r"(?i)it's\d", "state": "absent"}),
    "wait_for_text": ("wait_for", {"port": 22, "host": "::1", "search_regex": "SSH"}),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("base")
    (base / "t.j2").write_text("text\n")
    (base / "run.sh").write_text("#!/bin/sh -e\ntrue\n")
    (base / "prog").write_bytes(b"\x7fELF\0")
    (base / "tree" / "sub").mkdir(parents=True)
    (base / "tree" / "sub" / "f").write_text("f")
    with tarfile.open(base / "a.tgz", "w:gz") as archive:
        for name in ("top/a b", "top/it's", "top/sub/c"):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 1, 1_600_000_000
            archive.addfile(info, io.BytesIO(b"x"))
    return base


def show(steps: list[Step]) -> str:
    """The steps as one sh text: every part is a function."""
    out = [
        "# shellcheck shell=sh\n# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN\n"
    ]
    for step in steps:
        if isinstance(step, FileStep):
            content = hashlib.sha256(step.content.data or b"").hexdigest()[:12] if step.content else None
            fields = {"kind": step.kind, "mode": step.mode and oct(step.mode), "content": content, "force": step.force}
            out.append(f"# {step.id}: file step {step.path} {fields}\n")
            continue
        notes = {"once": step.once, "changes": step.changes, "cwd": step.cwd, "blobs": len(step.blobs)}
        out.append(f"# {step.id}: {notes} env {sorted(step.env)} reconnect {step.reconnect}\n")
        for part, text in (("probe", step.probe), ("act", step.act)):
            if text is not None:
                out.append(f"{part}_{step.id.replace('.', '_')}() (\n{text})\n")
    return "".join(out)


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, base: Path) -> None:
    name, raw = CASES[case]
    text = show(steps_of(name, raw, base))
    path = GOLDEN / f"{case}.sh"
    if os.environ.get("COREOPS_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def test_no_golden_is_left_over() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.sh")) == sorted(CASES)


@pytest.mark.slow
def test_shellcheck(base: Path) -> None:
    if SHELLCHECK is None:
        pytest.skip("shellcheck is not installed")
    words = [SHELLCHECK, "-s", "sh", *sorted(str(path) for path in GOLDEN.glob("*.sh"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"], ["busybox", "sh"]], ids=lambda s: s[0])
def test_every_shell_can_read_it(shell: list[str]) -> None:
    for path in sorted(GOLDEN.glob("*.sh")):
        subprocess.run([*shell, "-n", path], check=True)
