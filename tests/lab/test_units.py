"""fleet's units on three real nodes with nothing but systemd and etcd. One story, as a cluster's life has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from coreops.providers.namespace.lab import Lab

pytestmark = pytest.mark.lab
WEB = "[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nConflicts=%p@*.service\n"
ANY = "[Service]\nExecStart=/bin/sh -c 'while :; do sleep 1; done'\n"
SIDE = f"[Unit]\nBindsTo=any.service\nAfter=any.service\n{ANY}[X-Fleet]\nMachineOf=any.service\n"


@dataclass
class Cluster:
    lab: Lab
    folder: Path

    def coreops(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from coreops.cli import main; main()", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=self.folder, check=False)
        assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def units(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        return self.coreops("units", *words, "-i", str(self.lab.inventory), expect=expect)

    def where(self) -> dict[str, str]:
        """Unit -> host, as coreops says."""
        rows = [json.loads(line) for line in self.units("status", "--json").stdout.splitlines()]
        return {row["name"]: row["host"] for row in rows}

    def sh(self, node: str, command: str) -> str:
        line = self.lab.ssh_command(node, [command])
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False).stdout

    def active(self, node: str) -> set[str]:
        """What really runs there, as systemd says."""
        lines = self.sh(node, "systemctl list-units --plain --no-legend --state=active 'web@*' 'any*'")
        return {line.split()[0] for line in lines.splitlines()}

    def until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 40
        while not what():
            said = {node.name: self.active(node.name) for node in self.lab.nodes}
            assert time.monotonic() < deadline, f"{said}\n{self.units('status').stdout}"
            time.sleep(0.3)


@pytest.fixture
def cluster(lab_host: None, tmp_path: Path) -> Iterator[Cluster]:
    name = f"u{os.getpid()}"
    try:
        made = Cluster(Lab.up(name, nodes=3, zones=3, inventory_folder=tmp_path / "lab"), tmp_path)
        (tmp_path / "lab" / "group_vars").mkdir(exist_ok=True)
        (tmp_path / "lab" / "group_vars" / "all.yml").write_text(
            yaml.safe_dump({"scheduler": "units", "units_beat": 1})
        )
        (tmp_path / "web@.service").write_text(WEB)
        (tmp_path / "any.service").write_text(ANY)
        (tmp_path / "any-side.service").write_text(SIDE)
        made.coreops("bootstrap", str(made.lab.inventory))
        yield made
    finally:
        Lab.down(name)


def test_units_live_on(cluster: Cluster) -> None:
    again = json.loads(cluster.coreops("bootstrap", str(cluster.lab.inventory), "--json").stdout.splitlines()[-1])
    assert again["changes"] == []

    # too many for the nodes: said beforehand, and nothing is changed
    refused = cluster.units("start", "web@1..4.service", expect=4).stderr
    assert "web@4.service cannot be placed" in refused
    assert "Conflicts with web@" in refused
    assert cluster.where() == {}

    cluster.units("start", "web@1..3.service", "any.service", "any-side.service")
    spread = cluster.where()
    assert sorted(spread[f"web@{i}.service"] for i in (1, 2, 3)) == ["n1", "n2", "n3"]
    for node in ("n1", "n2", "n3"):
        assert cluster.active(node) == {name for name, host in spread.items() if host == node}

    # drained: what fits elsewhere moves, what conflicts there waits
    home = spread["any.service"]
    cluster.coreops("drain", home, "-i", str(cluster.lab.inventory))
    assert cluster.active(home) == set()
    cluster.until(lambda: any({"any.service", "any-side.service"} <= cluster.active(n) for n in spread.values()))
    said = cluster.units("status")
    assert "placed nowhere" in said.stdout
    assert f"{home}: closed" in said.stderr
    cluster.coreops("uncordon", home, "-i", str(cluster.lab.inventory))
    cluster.until(lambda: len(cluster.active(home)) == 1)

    # rebooted: it runs the same again, and nobody else does meanwhile
    before = cluster.where()
    cluster.lab.chaos(home, "reboot")
    cluster.until(lambda: cluster.active(home) == {name for name, host in before.items() if host == home})
    assert cluster.where() == before

    # drained while it is off: nothing runs twice; it comes back without its units, and only then they run elsewhere
    victim = before["any.service"]
    rest = [node for node in ("n1", "n2", "n3") if node != victim]
    cluster.lab.chaos(victim, "kill")
    stuck = cluster.coreops("drain", victim, "-i", str(cluster.lab.inventory), "--patience", "3s", "--force", expect=1)
    assert "any.service" in stuck.stderr + stuck.stdout
    assert not any("any.service" in cluster.active(node) for node in rest)
    Lab.up(cluster.lab.names.lab, inventory_folder=cluster.lab.inventory)
    cluster.until(lambda: any("any.service" in cluster.active(node) for node in rest))
    assert cluster.active(victim) == set()

    cluster.units("stop", "any")
    assert not any("any.service" in cluster.active(node) for node in rest)
    cluster.units("destroy", "any", "any-side", "web@1..3")
    assert cluster.where() == {}
    for node in ("n1", "n2", "n3"):
        left = cluster.sh(node, "ls -d /run/systemd/system/web* /run/systemd/system/any* /run/coreops-units/*/*")
        assert left == ""
        assert cluster.sh(node, "systemctl list-units --all --plain --no-legend 'web@*' 'any*'") == ""
