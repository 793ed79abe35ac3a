"""fleet's units on three real nodes with nothing but systemd and etcd. The tests build on each other, as a cluster's
life does.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from coreops.providers.namespace import image
from coreops.providers.namespace.lab import Lab
from tests.lab import inside
from tests.lab.upgrades import NEW, NODES, Fleet, fleet, last_lines
from tests.support import warm

pytestmark = pytest.mark.lab
WEB = "[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nConflicts=%p@*.service\n"
ANY = "[Service]\nExecStart=/bin/sh -c 'while :; do sleep 1; done'\n"
SIDE = f"[Unit]\nBindsTo=any.service\nAfter=any.service\n{ANY}[X-Fleet]\nMachineOf=any.service\n"


@dataclass
class Cluster:
    fleet: Fleet

    @property
    def lab(self) -> Lab:
        return self.fleet.lab

    def coreops(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = warm.run(self.fleet.command(*words), timeout=300, cwd=self.fleet.folder, env=self.fleet.environment)
        assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def units(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        return self.coreops("units", *words, "-i", self.inventory, expect=expect)

    @property
    def inventory(self) -> str:
        return str(self.fleet.inventory)

    def where(self) -> dict[str, str]:
        """Unit -> host, as coreops says."""
        rows = [json.loads(line) for line in self.units("status", "--json").stdout.splitlines()]
        return {row["name"]: row["host"] for row in rows}

    def sh(self, node: str, command: str) -> str:
        return inside.sh(self.lab, node, command, check=False)

    def active(self, node: str) -> set[str]:
        """What really runs there, as systemd says."""
        lines = self.sh(node, "systemctl list-units --plain --no-legend --state=active 'web@*' 'any*'")
        return {line.split()[0] for line in lines.splitlines()}

    def until(self, what: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline:
                said = {node.name: self.active(node.name) for node in self.lab.nodes}
                raise AssertionError(f"{said}\n{self.units('status').stdout}")
            time.sleep(0.3)


@pytest.fixture(scope="module")
def cluster(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with fleet(tmp_path_factory.mktemp("units"), "y", scheduler="units", units_beat=2) as made:
        made.publish(image.current().usr(NEW), NEW)
        for name, text in (("web@", WEB), ("any", ANY), ("any-side", SIDE)):
            (made.folder / f"{name}.service").write_text(text)
        yield Cluster(made)


def test_units_live_on(cluster: Cluster) -> None:
    again = json.loads(cluster.coreops("bootstrap", cluster.inventory, "--json").stdout.splitlines()[-1])
    assert again["changes"] == []

    # too many for the nodes: said beforehand, and nothing is changed
    refused = cluster.units("start", "web@1..4.service", expect=4).stderr
    assert "web@4.service cannot be placed" in refused
    assert "Conflicts with web@" in refused
    assert cluster.where() == {}

    cluster.units("start", "web@1..3.service", "any.service", "any-side.service")
    spread = cluster.where()
    assert sorted(spread[f"web@{i}.service"] for i in (1, 2, 3)) == ["n1", "n2", "n3"]
    for node in NODES:
        assert cluster.active(node) == {name for name, host in spread.items() if host == node}

    # drained: what fits elsewhere moves, what conflicts there waits
    home = spread["any.service"]
    cluster.coreops("drain", home, "-i", cluster.inventory)
    assert cluster.active(home) == set()
    cluster.until(lambda: any({"any.service", "any-side.service"} <= cluster.active(n) for n in spread.values()))
    said = cluster.units("status")
    assert "placed nowhere" in said.stdout
    assert f"{home}: closed" in said.stderr
    cluster.coreops("uncordon", home, "-i", cluster.inventory)
    cluster.until(lambda: len(cluster.active(home)) == 1)

    # rebooted: it runs the same again, and nobody else does meanwhile
    before = cluster.where()
    cluster.lab.chaos(home, "reboot")
    cluster.until(lambda: cluster.active(home) == {name for name, host in before.items() if host == home})
    assert cluster.where() == before

    # drained while it is off: nothing runs twice; it comes back without its units, and only then they run elsewhere
    victim = before["any.service"]
    rest = [node for node in NODES if node != victim]
    cluster.lab.chaos(victim, "kill")
    stuck = cluster.coreops("drain", victim, "-i", cluster.inventory, "--patience", "3s", "--force", expect=1)
    assert "any.service" in stuck.stderr + stuck.stdout
    assert not any("any.service" in cluster.active(node) for node in rest)
    cluster.lab.chaos(victim, "poweron")
    cluster.until(lambda: any("any.service" in cluster.active(node) for node in rest))
    assert cluster.active(victim) == set()

    cluster.units("stop", "any")
    assert not any("any.service" in cluster.active(node) for node in rest)
    cluster.units("destroy", "any", "any-side", "web@1..3")
    assert cluster.where() == {}
    for node in NODES:
        left = cluster.sh(node, "ls -d /run/systemd/system/web* /run/systemd/system/any* /run/coreops-units/*/*")
        assert left == ""
        assert cluster.sh(node, "systemctl list-units --all --plain --no-legend 'web@*' 'any*'") == ""


def test_the_network_goes_while_units_come(cluster: Cluster) -> None:
    """Nothing is placed by half, whenever it happens; the same command once more does all of it."""
    cluster.coreops("uncordon", *NODES, "-i", cluster.inventory)
    begun = time.monotonic()
    cluster.units("status")
    once = time.monotonic() - begun
    run = cluster.fleet.start("units", "start", "web@1..3.service", "any.service", "-i", cluster.inventory)
    time.sleep(0.7 * once)  # at whatever moment: it must not matter
    for node in NODES:
        cluster.lab.chaos(node, "cut")
    time.sleep(1)
    run.kill()
    for node in NODES:
        cluster.lab.chaos(node, "heal")
    cluster.until(cluster.fleet.store.healthy)
    assert set(cluster.where()) in (set(), {"any.service", *(f"web@{i}.service" for i in (1, 2, 3))})
    cluster.units("start", "web@1..3.service", "any.service")
    placed = cluster.where()
    assert sorted(placed[f"web@{i}.service"] for i in (1, 2, 3)) == list(NODES)
    for node in NODES:
        assert cluster.active(node) == {name for name, host in placed.items() if host == node}


def test_an_upgrade_moves_a_unit_away_before_its_node_goes_down(cluster: Cluster) -> None:
    cluster.units("destroy", "web@3")
    before, home = cluster.fleet.look(), cluster.where()["any.service"]
    run = cluster.fleet.start_upgrade()
    run.wait_for(home, "reboot")
    # by the time that its old node is to go down, nothing of it runs there; and elsewhere once its new home starts it
    assert "any.service" not in cluster.active(home)
    cluster.until(lambda: any("any.service" in cluster.active(node) for node in NODES if node != home))
    said = run.end(0)
    assert [state.split()[0] for state in last_lines(said).values()] == ["done"] * 3
    after = cluster.fleet.look()
    assert all(after[name].release == NEW and after[name].boots == before[name].boots + 1 for name in NODES)
    cluster.until(lambda: sum(len(cluster.active(node)) for node in NODES) == 3)
    placed = cluster.where()
    for node in NODES:
        assert cluster.active(node) == {name for name, host in placed.items() if host == node}
    told = [
        json.loads(line) for line in cluster.coreops("nodes", "-i", cluster.inventory, "--json").stdout.splitlines()
    ]
    assert {each["host"]: each["cordoned"] for each in told if "cordoned" in each} == dict.fromkeys(NODES, "")


def test_units_of_a_node_that_is_given_up_run_elsewhere(cluster: Cluster) -> None:
    cluster.units("start", "any.service", "web@1..2.service")
    victim = cluster.where()["any.service"]
    rest = [node for node in NODES if node != victim]
    cluster.lab.chaos(victim, "kill")
    healer = cluster.fleet.start("heal", "-i", cluster.inventory, "--watch", "--after", "2s", "--yes")
    # its two leases have to end first, that of the registry and its agent's: 25 s
    cluster.until(lambda: any("any.service" in cluster.active(node) for node in rest), 300)
    healer.signal(signal.SIGINT)
    said = healer.end(0)
    assert f"remove {victim} from units" in said
    assert cluster.where()["any.service"] in rest
    cluster.lab.chaos(victim, "poweron")
    cluster.until(lambda: "running" in cluster.sh(victim, "echo running"))
    assert cluster.active(victim) == set()  # that its member of etcd comes back, too, is tests/lab/test_registration.py
    placed = cluster.where()
    for node in NODES:
        assert cluster.active(node) == {name for name, host in placed.items() if host == node}
