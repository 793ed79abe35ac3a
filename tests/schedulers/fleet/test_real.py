"""A real fleetd on lab nodes, when there is one: COREOPS_FLEET_ARCHIVE is a tar.gz with fleetd (0.11 or newer)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from coreops.providers.namespace.lab import Lab
from coreops.store.lockfile import DEFAULT

ARCHIVE = os.environ.get("COREOPS_FLEET_ARCHIVE", "")
VERSION = os.environ.get("COREOPS_FLEET_VERSION", "1.0.0")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not ARCHIVE, reason="COREOPS_FLEET_ARCHIVE names no archive with a fleetd"),
]
UNIT = "[Service]\nExecStart=/bin/sleep inf\n[X-Fleet]\n"


@dataclass
class Site:
    lab: Lab
    folder: Path

    def coreops(self, *words: str, expect: int = 0) -> str:
        line = [sys.executable, "-c", "from coreops.cli import main; main()", *words]
        done = subprocess.run(line, capture_output=True, text=True, timeout=400, cwd=self.folder.parent, check=False)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def of(self, *words: str, expect: int = 0) -> str:
        return self.coreops(*words, "-i", str(self.folder), expect=expect)

    def units(self) -> dict[str, dict[str, Any]]:
        line = "sudo curl -s --unix-socket /var/run/fleet.sock http://x/fleet/v1/units"
        done = subprocess.run(self.lab.ssh_command("n3", [line]), capture_output=True, timeout=60, check=True)
        return {each["name"]: each for each in json.loads(done.stdout).get("units", [])}

    def until(self, what: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not what():
            assert time.monotonic() < end, self.units()
            time.sleep(0.5)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    name, base = f"f{os.getpid()}", tmp_path_factory.mktemp("fleet")
    try:
        made = Site(Lab.up(name, nodes=3, zones=3, inventory_folder=base / "lab"), base / "lab")
        (made.folder / "group_vars").mkdir()
        variables = {"scheduler": "fleet", "fleet_install": "archive", "etcd_flags": {"enable-v2": True}}
        (made.folder / "group_vars" / "all.yml").write_text(yaml.safe_dump(variables))
        locked = yaml.safe_load(DEFAULT.read_text())
        digest = hashlib.sha256(Path(ARCHIVE).read_bytes()).hexdigest()
        fleet = {"name": "fleet", "version": VERSION, "arch": "amd64", "sha256": digest}
        locked["artifacts"].append(fleet | {"path": str(Path(ARCHIVE).resolve())})
        (made.folder / "artifacts.lock.yml").write_text(yaml.safe_dump(locked))
        yield made
    finally:
        Lab.down(name)


def test_a_cluster_a_drain_a_reboot_and_back(site: Site, tmp_path: Path) -> None:
    assert "fleet, 3 nodes" in site.coreops("bootstrap", str(site.folder))
    files = {"one@.service": UNIT, "pair@.service": f"{UNIT}Conflicts=pair@*\n", "all.service": f"{UNIT}Global=true\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    site.of(
        "units", "start", f"{tmp_path}/one@1..4.service", f"{tmp_path}/pair@1..2.service", f"{tmp_path}/all.service"
    )
    site.until(lambda: all(each["currentState"] == "launched" for name, each in site.units().items() if "@" in name))
    site.of("drain", "n1")
    before = {name: each["machineID"] for name, each in site.units().items() if "@" in name}
    (barrier,) = (each for name, each in site.units().items() if name.startswith("00-coreops-n1."))
    assert barrier["machineID"] not in before.values()
    subprocess.run(site.lab.ssh_command("n1", ["sudo systemctl reboot"]), capture_output=True, timeout=60, check=False)
    site.until(lambda: site.units()[barrier["name"]]["currentState"] != "loaded")
    site.until(lambda: site.units()[barrier["name"]]["currentState"] == "loaded")
    assert {name: each["machineID"] for name, each in site.units().items() if "@" in name} == before
    site.of("drain", "n2", expect=4)  # the pair can only be on n2 and n3
    site.of("uncordon", "n1", "n2")
    site.of("drain", "n2")
    assert all(each["desiredState"] == "launched" for name, each in site.units().items() if "@" in name)
    site.of("uncordon", "n2")
    assert "nothing to change" in site.coreops("bootstrap", str(site.folder))
