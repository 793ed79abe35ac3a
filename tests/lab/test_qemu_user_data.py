"""A lab's virtual machine that Debian's real cloud-init sets up, from what coreops renders: on a drive, by SMBIOS."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from coreops.errors import InputError
from coreops.providers.namespace.flavour import CLOUD_INIT
from coreops.providers.namespace.host import missing_packages, require_linux_root
from coreops.providers.namespace.keys import make_key
from coreops.providers.namespace.lab import Lab
from coreops.providers.qemu import image
from coreops.providers.qemu.lab import require_programs
from tests.lab.test_lab import ssh, traces
from tests.lab.test_qemu import machines

pytestmark = [
    pytest.mark.lab,
    pytest.mark.vm,
    pytest.mark.skipif(not os.environ.get("COREOPS_ALL_VMS"), reason="takes two minutes: only with COREOPS_ALL_VMS=1"),
]

HOSTILE = "#!/bin/sh\n\techo \"$HOME\" '$(id)' `id` \\n %s ${x} ☃\n\n"
NODE: dict[str, object] = {
    "write_files": [{"path": "/etc/coreops test/$(touch x) `id`", "content": HOSTILE}],
    "swap": {"file": "/var/swap", "size_mib": 16},
    "storage": {"filesystems": [{"device": "/dev/vda7", "format": "ext4", "label": "DATA", "path": "/var/lib/data"}]},
    "coreos": {
        "units": [
            {
                "name": "lasting.service",
                "content": "[Service]\nExecStart=/usr/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n",
                "enable": True,
                "command": "start",
            }
        ]
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    try:
        require_linux_root()
        require_programs(build=not image.current(CLOUD_INIT).disk.exists())
    except InputError as error:
        pytest.skip(f"no virtual machines here: {error}")
    if missing := missing_packages({"xorrisofs": "xorriso"}):
        pytest.skip(f"no drive can be made here: {', '.join(missing)} missing")
    yield tmp_path
    name = f"u{os.getpid()}"
    Lab.down(name)
    assert traces(name) == {}
    assert machines(name) == ""


def coreops(folder: Path, *words: object, expect: int = 0) -> str:
    line = [sys.executable, "-c", "from coreops.cli import main; main()", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=900, cwd=folder, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def render(folder: Path, node: Mapping[str, object]) -> None:
    variables = {"node_ssh_keys": [make_key("x").public], "private_ipv4": "{{ ansible_host }}", "node": node}
    (folder / "lab/group_vars").mkdir(exist_ok=True)
    (folder / "lab/group_vars/all.yml").write_text(yaml.safe_dump(variables, allow_unicode=True))
    coreops(folder, "render", "-i", folder / "lab", "-t", "cloud-init", "-p", "lab", "-o", folder / "user-data")


def test_user_data_makes_the_machine(folder: Path) -> None:
    up = ("lab", "up", "--name", f"u{os.getpid()}", "--driver", "qemu", "--nodes", 1, "--inventory", folder / "lab")
    coreops(folder, *up, "--no-boot")
    render(folder, NODE)
    said = coreops(folder, *up, "--user-data", folder / "user-data")
    assert "n1: cloud-init has applied its user-data" in said
    assert "a lab cannot do" not in said

    lab = Lab.open(f"u{os.getpid()}")
    status = ssh(lab, "n1", "cloud-init status --long; systemctl is-system-running --wait")
    assert "status: done" in status
    assert "DataSourceNoCloud [seed=" in status
    assert "/dev/vdb]" in status
    assert status.splitlines()[-1] == "running"
    assert ssh(lab, "n1", "cat '/etc/coreops test/$(touch x) `id`'") == HOSTILE.strip()
    assert ssh(lab, "n1", "systemctl is-active lasting; findmnt -no FSTYPE /var/lib/data").split() == ["active", "ext4"]
    assert ssh(lab, "n1", "grep -c /var/swap /proc/swaps") == "1"  # its kernel is its own

    render(folder, NODE | {"write_files": [{"path": "/etc/later", "content": "new\n"}]})
    said = coreops(folder, *up, "--user-data", folder / "user-data")
    assert "n1: has other user-data now; it counts from the next boot on" in said
    lab.chaos("n1", "reboot")
    assert "n1: cloud-init has applied its user-data" in coreops(folder, *up)
    assert ssh(lab, "n1", "cat /etc/later") == "new"
