"""Docker Swarm on real nodes: three managers, of which each is a store node, and a worker. The tests build on each
other, as a cluster's life does; what the swarm does is read through Docker itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from coreops.providers.namespace.lab import Lab
from tests.lab.store_client import CALM
from tests.lab.swarm import IMAGE, Swarm, eventually, service_under_load
from tests.lab.swarm_world import NODES, World
from tests.lab.test_playbooks import unpacked
from tests.schedulers.conformance import SchedulerConformance
from tests.support import warm

pytestmark = pytest.mark.lab


@dataclass
class Cluster:
    """The lab, its inventory, and the command line."""

    lab: Lab
    folder: Path
    swarm: Swarm
    said: list[str] = field(default_factory=list)

    def write(
        self, nodes: Sequence[str] = NODES, own: dict[str, dict[str, Any]] | None = None, **variables: Any
    ) -> None:
        """An inventory of these nodes, of which n1 to n3 are the store. own: variables of single hosts."""
        whole = yaml.safe_load((self.lab.inventory / "hosts.yml").read_text())["all"]
        hosts = whole["children"]["store"]["hosts"]
        for name, more in (own or {}).items():
            hosts[name] |= more
        groups = {"store": NODES[:3], "work": NODES[3:]}
        children = {
            group: {"hosts": {name: hosts[name] for name in names if name in nodes}} for group, names in groups.items()
        }
        # Nothing listens there: whatever the nodes ask each other must not go that way.
        proxy = {"docker_proxy": {"https": "http://192.0.2.1:3128"}}
        told = {
            "vars": {**whole["vars"], "scheduler": "swarm", "etcd_flags": CALM, **proxy, **variables},
            "children": children,
        }
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": told}))

    def coreops(self, *words: str, expect: int | None = 0) -> str:
        """A command of coreops; what it said. expect: how it must end, None: in any way."""
        line = [sys.executable, "-c", warm.MAIN, *words]
        done = warm.run(line, timeout=300, cwd=self.folder.parent)
        self.said.append(done.stdout + done.stderr)
        assert expect in (None, done.returncode), f"exit {done.returncode}\n{self.said[-1]}"
        return self.said[-1]

    def bootstrap(self, *options: str, expect: int = 0) -> str:
        return self.coreops("bootstrap", str(self.folder), *options, expect=expect)

    def changes(self, *options: str) -> list[str]:
        """What a run did to the swarm."""
        told = [json.loads(line) for line in self.bootstrap("--json", *options).splitlines() if line.startswith("{")]
        return list(told[-1]["further"]["scheduler"]["changes"])

    def nodes(self) -> dict[str, dict[str, Any]]:
        """What ``coreops nodes`` tells."""
        told = [json.loads(line) for line in self.coreops("nodes", "-i", str(self.folder), "--json").splitlines()]
        return {each["host"]: each for each in told if each.get("event") == "node"}


@pytest.fixture(scope="module")
def cluster(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    name, base = f"s{os.getpid()}", tmp_path_factory.mktemp("swarm")
    folder = base / "inventory"
    folder.mkdir()
    try:
        lab = Lab.up(name, nodes=4, zones=3, inventory_folder=base / "lab", extra="docker")
        made = Cluster(lab, folder, Swarm(lab))
        made.write()
        yield made
    finally:
        Lab.down(name)


def test_bad_input_is_refused_with_its_place(cluster: Cluster) -> None:
    cluster.write(own={"n4": {"scheduler_role": "manager"}})
    said = cluster.bootstrap(expect=2)
    assert "a swarm with 4 managers is refused" in said
    assert "hosts.yml:" in said
    cluster.write(swarm_task_histroy=3)
    assert "did you mean 'swarm_task_history'" in cluster.bootstrap(expect=2)
    cluster.write(docker_live_restore=True)
    assert "cannot have live-restore" in cluster.bootstrap(expect=2)
    assert not (cluster.folder / "pki").exists()
    cluster.write()


def test_an_engine_in_a_foreign_swarm_stops_it_before_anything_is_joined(cluster: Cluster) -> None:
    cluster.swarm.docker("swarm init --advertise-addr eth0", node="n4")
    assert "n4: its engine is in a swarm that" in cluster.bootstrap(expect=4)
    for node in NODES[:3]:
        assert (
            cluster.swarm.sh(node, "ls /etc/docker/daemon.json /var/lib/docker/swarm/docker-state.json", check=False)
            == ""
        )
    cluster.swarm.docker("swarm leave --force", node="n4")


def test_a_swarm_is_made_and_the_second_run_changes_nothing(cluster: Cluster) -> None:
    made = cluster.changes()
    assert "begin the swarm on n1" in made
    assert "let n2, n3, n4 join the swarm" in made
    found = cluster.swarm.nodes()
    assert {name: bool(each["ManagerStatus"]) for name, each in found.items()} == dict(
        zip(NODES, (True, True, True, False), strict=True)
    )
    assert cluster.swarm.labels("n4") == {"coreops.host": "n4", "coreops.labels": "zone", "zone": "z1"}
    # What somebody else has set stays; and the swarm notices sooner who is gone.
    cluster.swarm.docker("swarm update --dispatcher-heartbeat 1s")
    assert cluster.changes() == []
    assert "Heartbeat Period: 1 second" in cluster.swarm.docker("info")


def test_a_drain_moves_the_tasks_and_clients_that_retry_see_nothing(cluster: Cluster) -> None:
    swarm = cluster.swarm
    with service_under_load(swarm, replicas=3) as load:
        zones = {swarm.labels(node)["zone"] for node in swarm.running("web")}
        assert zones == {"z1", "z2", "z3"}
        cluster.coreops("drain", "n2", "-i", str(cluster.folder))
        assert swarm.containers("n2") == []
        assert swarm.nodes()["n2"]["Availability"] == "Drain"
        assert cluster.nodes()["n2"]["cordoned"] == "operator"
        eventually(lambda: len(swarm.running("web")) == 3, 120, "the task runs elsewhere")
        assert "n2" not in swarm.running("web")
        cluster.coreops("uncordon", "n2", "-i", str(cluster.folder))
        assert swarm.nodes()["n2"]["Availability"] == "Active"
        eventually(lambda: load.answered > 50, 120, "enough is asked and answered")
    assert load.failed == []


UNIT = """\
[Service]
ExecStart=/usr/bin/docker run --rm --init --name app-%i lab/web:1 /bin/sleep 1000
[X-Fleet]
Conflicts=app@*.service
MachineMetadata=zone=z1
"""


def test_units_become_services(cluster: Cluster) -> None:
    (cluster.folder.parent / "app@.service").write_text(UNIT)

    def units(verb: str, *words: str) -> dict[str, tuple[str, str]]:
        said = cluster.coreops("units", verb, *words, "-i", str(cluster.folder), "--json")
        rows = [json.loads(line) for line in said.splitlines() if line.startswith('{"name"')]
        return {row["name"]: (row["state"], row["host"]) for row in rows}

    said = cluster.coreops("units", "start", "app@1..3.service", "-i", str(cluster.folder), expect=4)
    assert "app@3.service cannot be placed" in said
    assert "Conflicts on 2, MachineMetadata on 2 (closest: n1: Conflicts with app@" in said
    assert units("status") == {}
    inactive = {f"app@{number}.service": ("inactive", "") for number in (1, 2)}
    assert units("submit", "app@1..2.service") == units("status") == inactive
    started = units("start", "app@1..2")
    assert {host for _, host in started.values()} == set(cluster.swarm.running("app")) == {"n1", "n4"}
    assert units("status") == started
    cluster.coreops("units", "destroy", "app@1..2", "-i", str(cluster.folder))
    assert units("status") == {}
    assert [each for each in cluster.swarm.ask("service ls") if each["Name"] == "app"] == []
    assert cluster.swarm.sh("n4", "docker ps -q --filter name=app") == ""


def test_docker_trusts_a_registry_of_the_inventory_and_a_cache_of_it(cluster: Cluster) -> None:
    swarm, folder = cluster.swarm, cluster.folder
    at = {node.name: f"{node.address}:5000" for node in cluster.lab.nodes}
    own, cache, closed = (f"{at[name]}/own:1" for name in NODES[:3])
    (folder / "pki" / "registry.htpasswd").write_bytes(b"ann:" + bcrypt.hashpw(b"a b$c", bcrypt.gensalt(4)) + b"\n")
    caches, asks = (
        {"registry_remote": f"https://{at['n1']}"},
        {"registry_htpasswd": "{{ inventory_dir }}/pki/registry.htpasswd"},
    )
    (folder / "registry.yml").write_text(
        json.dumps({"registry": {"hosts": dict(zip(NODES[:3], ({}, caches, asks), strict=True))}})
    )
    binary = unpacked(folder.parent / "registry", "docker-registry") / "usr" / "bin" / "docker-registry"
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()
    names = [word for name in NODES[:3] for word in ("--san", at[name].partition(":")[0])]
    cluster.coreops("certificate", "registry", *names, "-i", str(folder))
    pinned = ("-e", f"registry_binary={binary}", "-e", f"registry_sha256={digest}")
    cluster.coreops("run", "registry.yml", "-i", str(folder), *pinned)
    swarm.sh("n4", f"tar -c -C / etc/hostname | docker import - {own} && docker push -q {own} && docker image rm {own}")
    swarm.sh("n4", f"docker pull -q {cache} && docker tag {cache} {closed}")
    assert int(swarm.sh("n2", "find /var/lib/registry -name data -size +0 | wc -l")) > 0
    assert "no basic auth" in swarm.sh("n4", f"docker push -q {closed} 2>&1 || :")
    swarm.sh("n4", f"printf 'a b$c' | docker login -u ann --password-stdin {at['n3']} && docker push -q {closed}")
    (folder / "registry.yml").unlink()


def test_a_leader_that_dies_is_replaced_and_comes_back_by_itself(cluster: Cluster) -> None:
    swarm, before = cluster.swarm, cluster.swarm.leader()
    cluster.lab.chaos(before, "kill")
    swarm.managers = [name for name in NODES[:3] if name != before]
    after = eventually(lambda: _leader(swarm), 90, "a new leader")
    assert after != before
    eventually(lambda: swarm.nodes()[before]["Status"] == "Down", 120, "the swarm notices")
    eventually(lambda: len(set(swarm.running("web")) - {before}) == 3, 120, "the tasks run elsewhere")
    cluster.lab.chaos(before, "poweron")
    cluster.coreops("uncordon", before, "-i", str(cluster.folder))  # waits until it is ready
    found = swarm.nodes()[before]
    assert (found["Status"], found["ManagerStatus"]) == ("Ready", "Reachable")
    swarm.managers = NODES[:3]


def test_new_settings_restart_the_engine_when_it_is_empty(cluster: Cluster) -> None:
    swarm = cluster.swarm
    info = json.loads(swarm.docker("info --format '{{json .}}'", node="n4"))
    engine = {
        "docker_ulimits": {"nofile": 4096},
        "docker_log_driver": "local",
        "docker_storage_driver": info["Driver"],
        "docker_registry_mirrors": ["https://mirror.example"],
    }
    cluster.write(own={"n4": {**engine, "node_labels": {"disk": "ssd"}}})
    made = cluster.changes()
    # Docker may call the node down in the end (see decide.revive): one restart more then.
    assert [each for each in made if ("Docker" in each or "uncordon" in each) and "all the same" not in each] == [
        "drain n4, to restart its Docker",
        "restart Docker on n4 with its new settings",
        "uncordon n4",
    ]
    assert swarm.labels("n4")["disk"] == "ssd"
    assert swarm.nodes()["n4"]["Availability"] == "Active"
    assert swarm.docker(f"run --rm {IMAGE} /bin/sh -c 'ulimit -n'", node="n4") == "4096"
    now = json.loads(swarm.docker("info --format '{{json .}}'", node="n4"))
    assert (now["LoggingDriver"], now["Driver"]) == ("local", info["Driver"])
    assert now["RegistryConfig"]["Mirrors"] == ["https://mirror.example/"]
    assert now["HttpsProxy"] == "http://192.0.2.1:3128"
    assert now["NoProxy"] == ",".join(node.address for node in cluster.lab.nodes[:3])


def test_a_wiped_node_joins_again_and_its_old_entry_is_gone(cluster: Cluster) -> None:
    swarm = cluster.swarm
    swarm.sh("n4", "systemctl stop docker.socket docker && rm -rf /var/lib/docker/swarm")
    cluster.write()
    made = cluster.changes("--rotate-tokens")
    assert "forget what n4 was before it lost its place" in made
    assert "let n4 join the swarm" in made
    assert any("token" in each for each in made)
    assert set(swarm.nodes()) == set(NODES)
    assert "disk" not in swarm.labels("n4")
    swarm.load_image(["n4"])


CHOSEN = (
    "test_a_foreign_cordon_outlives_an_upgrade",
    "test_a_drain_waits_for_the_tasks_and_names_them",
    "test_tasks_are_counted_where_they_run",
    "test_an_older_controller_is_refused_after_the_newer_one_has_gone",
)


@pytest.fixture(scope="module")
def real(cluster: Cluster) -> Iterator[World]:
    made = World(cluster.folder)
    try:
        yield made
    finally:
        made.engine.close()


class _Rules(SchedulerConformance):
    """The rules that need a real engine most; all of them hold in the fake (tests/schedulers/swarm)."""


@pytest.mark.parametrize("rule", CHOSEN)
def test_the_rules_of_all_schedulers(real: World, rule: str) -> None:
    getattr(_Rules(), rule)(real.clean())


def test_a_node_that_is_no_longer_wanted_is_told_and_then_drained_and_removed_while_it_runs(
    cluster: Cluster, real: World
) -> None:
    swarm = cluster.swarm
    real.clean().start("n4")
    cluster.write(NODES[:3])
    assert '"stray": true' in cluster.coreops("nodes", "-i", str(cluster.folder), "--json")
    assert "drain n4, which still runs, and remove it" in cluster.bootstrap("--prune", "--check")
    assert set(swarm.nodes()) == set(NODES)
    made = cluster.changes("--prune")
    assert [each for each in made if "n4" in each] == ["drained n4", "removed n4, which is not in the inventory"]
    assert set(swarm.nodes()) == set(NODES[:3])
    assert real.running("n4") == 0
    eventually(lambda: sum(map(real.running, NODES[:3])) == 1, 120, "what ran there runs elsewhere")
    cluster.write()
    assert "let n4 join the swarm" in cluster.changes()
    assert swarm.nodes()["n4"]["Availability"] == "Active"
    real.clean()
    cluster.write(NODES[:3])


def test_without_a_majority_of_managers_a_drain_fails_in_one_error_and_leaves_no_mark(cluster: Cluster) -> None:
    for node in ("n4", "n2"):
        cluster.lab.chaos(node, "kill")
    cluster.swarm.sh("n3", "systemctl stop docker.socket docker")
    said = cluster.coreops("drain", "n1", "-i", str(cluster.folder), "--reason", "new disk", expect=1)
    assert said.count("coreops:") == 1
    assert "n1: its swarm has no leader" in said
    assert "n3: Docker does not run" in said
    assert cluster.swarm.sh("n1", "ls /etc/coreops/cordoned", check=False) == ""
    cluster.swarm.sh("n3", "systemctl start docker.socket docker")


def test_a_dead_worker_and_a_dead_manager_are_healed_away_and_the_manager_comes_back(cluster: Cluster) -> None:
    swarm, inventory = cluster.swarm, ("-i", str(cluster.folder))
    swarm.managers = ("n1", "n3")
    eventually(lambda: _leader(swarm), 150, "a leader again")
    eventually(lambda: {swarm.nodes()[node]["Status"] for node in ("n2", "n4")} == {"Down"}, 120, "the swarm notices")
    gone = "remove n4 from swarm, whose work goes elsewhere: it is not in the inventory and is down"
    # As long as a node is registered it is taken to live.
    eventually(lambda: f"to do    {gone}" in cluster.coreops("heal", *inventory, expect=None), 180, "n4 is gone")
    assert "waiting  n2: it is down" in cluster.said[-1]
    assert set(swarm.nodes()) == set(NODES), "it was only told"
    line = [sys.executable, "-c", "from coreops.cli import main; main()", "heal", *inventory]
    log = cluster.folder.parent / "heal.log"
    with log.open("wb") as out:
        heal = subprocess.Popen([*line, "--watch", "--after", "2s", "--yes"], stdout=out, stderr=out)
    try:
        eventually(lambda: set(swarm.nodes()) == {"n1", "n3"}, 120, "both are removed")
    finally:
        heal.send_signal(signal.SIGINT)
        assert heal.wait(timeout=90) == 0, log.read_text()
    assert gone in log.read_text()
    assert "remove n2 from swarm, whose work goes elsewhere: its machine is gone" in log.read_text()
    cluster.lab.chaos("n2", "poweron")
    cluster.coreops("heal", *inventory, "--yes")
    assert "let n2 join the swarm" in cluster.changes()
    swarm.managers = NODES[:3]
    assert {name: each["ManagerStatus"] != "" for name, each in swarm.nodes().items()} == dict.fromkeys(NODES[:3], True)


def test_no_token_was_said_or_kept(cluster: Cluster) -> None:
    assert not any("SWMTKN" in said for said in cluster.said)
    kept = [path for path in cluster.folder.parent.rglob("*") if path.is_file() and b"SWMTKN" in path.read_bytes()]
    assert kept == []


def _leader(swarm: Swarm) -> str:
    try:
        return swarm.leader()
    except AssertionError:
        return ""  # nobody leads yet
