"""From an inventory to an etcd member on a virtual machine that did not exist: provider qemu, real cloud-init."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.providers.namespace import network as switch
from coreops.providers.namespace.flavour import CLOUD_INIT
from coreops.providers.namespace.host import missing_packages, require_linux_root
from coreops.providers.namespace.keys import ensure_key
from coreops.providers.qemu import image, machine, process
from coreops.providers.qemu.place import Cluster

pytestmark = [
    pytest.mark.lab,
    pytest.mark.vm,
    pytest.mark.skipif(not os.environ.get("COREOPS_ALL_VMS"), reason="takes two minutes: only with COREOPS_ALL_VMS=1"),
]

INVENTORY = """\
all:
  vars:
    cluster: {cluster}
    provider: qemu
    qemu_memory: 512
    qemu_release: 1.1.0
    ansible_user: core
    ansible_become: true
    ansible_ssh_private_key_file: ../key
    node_ssh_keys: [{key}]
    etcd_clock_skew: 3
  children:
    store:
      hosts:
        n1:
"""
UNIT = "[Service]\nExecStart=/usr/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n"
IGNITION = {
    "qemu_target": "ignition",
    "node": {
        "write_files": [{"path": "/etc/coreops test/it's $(here)", "content": "ü $(id) `id`\n", "permissions": "0640"}],
        "users": [{"name": "ann", "groups": ["sudo"]}],
        "coreos": {"units": [{"name": "lasting.service", "content": UNIT, "enable": True}]},
    },
}
# Emulated, beside other tests: a boot has taken three minutes.
_WAIT = 600


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    try:
        require_linux_root()
        machine.require()
    except InputError as error:
        pytest.skip(f"no virtual machines here: {error}")
    if not image.current(CLOUD_INIT).folder.exists() and (missing := missing_packages(image.PROGRAMS)):
        pytest.skip(f"no image can be built here: {', '.join(missing)} missing")
    cluster = f"t{os.getpid()}"
    monkeypatch.setenv("COREOPS_QEMU_STATE", str(tmp_path / "state"))
    key = ensure_key(tmp_path / "key", "test")
    (tmp_path / "inv").mkdir()
    (tmp_path / "inv" / "hosts.yml").write_text(INVENTORY.format(cluster=cluster, key=json.dumps(key.public)))
    try:
        yield tmp_path
    finally:
        left = Cluster(cluster, (tmp_path / "state").resolve())
        for folder in left.nodes_folder.glob("*/vm"):
            process.kill(folder)
        switch.remove(left.names)


def run(here: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", "from coreops.cli import main; main()", *argv]
    return subprocess.run(line, capture_output=True, text=True, timeout=2 * _WAIT, cwd=here, check=False)


def coreops(here: Path, *argv: str) -> str:
    done = run(here, *argv)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def coreops_when_it_can(here: Path, *argv: str) -> str:
    """A machine that boots, emulated beside others, may greet long before it opens a session."""
    deadline = time.monotonic() + _WAIT
    while (done := run(here, *argv)).returncode == 3 and time.monotonic() < deadline:
        time.sleep(1)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_nothing_to_a_member_and_back(here: Path) -> None:
    assert "qemu-system-x86_64" in coreops(here, "provision", "inv", "--check")
    assert not (here / "state").exists()
    made = coreops(here, "provision", "inv", "--wait", str(_WAIT))
    assert made.split()[:2] == ["created", "n1"]
    assert (here / "inv" / "known_hosts").read_text().count("ssh-ed25519") == 1
    assert "created" not in coreops(here, "provision", "inv")
    # its host key is the one in known_hosts, and its user the one of the user-data: else there were no way in
    assert "etcd 3." in coreops(here, "bootstrap", "inv")
    said = coreops(here, "console", "n1", "-i", "inv")
    assert "Linux version" in said
    assert "coreops lab 1.1.0" in said
    assert "1.1.0" in coreops_when_it_can(here, "exec", "n1", "-i", "inv", "--", "lab-release")

    (folder,) = (here / "state").glob("q-*/nodes/*/vm")
    pid = machine.pid(folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert process.wait_end(folder, 10)
    assert coreops(here, "plan", "inv").split()[:2] == ["start", "n1"]
    coreops(here, "destroy", "inv", "--yes", "1")
    assert [each.name for each in (here / "state").iterdir()] == ["accel.json"]
    assert (here / "inv" / "known_hosts").read_text() == ""


def test_ignition_sets_a_machine_up_before_systemd_starts(here: Path) -> None:
    (here / "inv/group_vars").mkdir()
    (here / "inv/group_vars/all.yml").write_text(json.dumps(IGNITION))
    coreops(here, "provision", "inv", "--wait", str(_WAIT))
    ask = "cat '/etc/coreops test/it'\\''s $(here)'; systemctl is-active lasting; id -nG ann; hostname; lab-release"
    said = coreops_when_it_can(here, "exec", "n1", "-i", "inv", "-b", "--", ask)
    assert [line.partition("| ")[2] for line in said.splitlines() if line.startswith("n1 |")] == [
        "ü $(id) `id`",
        "active",
        "ann sudo",
        "n1",
        "1.1.0",
    ]
    console = coreops(here, "console", "n1", "-i", "inv")
    assert "Ignition has set this machine up" in console
    assert "PRIVATE KEY" not in console
    coreops(here, "destroy", "inv", "--yes", "1")
