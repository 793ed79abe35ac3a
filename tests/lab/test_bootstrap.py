"""``coreops bootstrap`` on a lab of five real nodes, of which three (later five) are the store. The tests build on each
other, as a cluster's life does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from coreops.providers.namespace.lab import Lab
from tests.lab import inside
from tests.lab.store_client import CALM
from tests.support import warm

pytestmark = pytest.mark.lab

CTL = (
    "ETCDCTL_API=3 /opt/etcd/current/etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/client.crt "
    "--key /etc/etcd/pki/client.key"
)


@dataclass
class Store:
    lab: Lab
    folder: Path

    def write(self, size: int, first: int = 1, **variables: Any) -> None:
        """An inventory with the nodes n<first>.. in the store; keys, known_hosts and pki stay."""
        variables["etcd_flags"] = {**CALM, **variables.get("etcd_flags", {})}
        whole = yaml.safe_load((self.lab.inventory / "hosts.yml").read_text())["all"]
        hosts = whole["children"]["store"]["hosts"]
        chosen = {name: hosts[name] for name in list(hosts)[first - 1 : first - 1 + size]}
        text = {"all": {"vars": whole["vars"], "children": {"store": {"hosts": chosen, "vars": variables}}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(text))

    def command(self, *options: str) -> list[str]:
        return [sys.executable, "-c", warm.MAIN, "bootstrap", str(self.folder), *options]

    def bootstrap(self, *options: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = warm.run(self.command(*options), timeout=400, cwd=self.folder.parent)
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    def result(self, *options: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.bootstrap("--json", *options).stdout.splitlines()[-1])
        return found

    def sh(self, node: str, command: str, *, check: bool = True) -> str:
        return inside.sh(self.lab, node, command, check=check)

    def members(self, node: str = "n1") -> set[str]:
        listed = json.loads(self.sh(node, f"{CTL} member list -w json"))["members"]
        return {entry["name"] for entry in listed if not entry.get("isLearner")}


@pytest.fixture(scope="module")
def store(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    name = f"b{os.getpid()}"
    base = tmp_path_factory.mktemp("bootstrap")
    folder = base / "inventory"
    folder.mkdir()
    try:
        made = Store(Lab.up(name, nodes=5, zones=3, inventory_folder=base / "lab"), folder)
        made.write(3)
        yield made
    finally:
        Lab.down(name)


def untouched(store: Store) -> bool:
    found = [store.sh(f"n{i}", "ls -d /etc/etcd /opt/etcd 2>/dev/null", check=False) for i in (1, 2, 3)]
    return not any(found) and not (store.folder / "pki").exists()


def test_bad_input_touches_nothing(store: Store) -> None:
    store.write(4)
    assert "a store of 4 members is refused" in store.bootstrap(expect=2).stderr
    store.write(3, etcd_adress="10.0.0.1")
    assert "did you mean 'etcd_address'" in store.bootstrap(expect=2).stderr
    store.write(3)
    (store.folder.parent / "etcd.tar.gz").write_bytes(b"not what was pinned")
    lock = {"name": "etcd", "version": "3.5.1", "arch": "amd64", "sha256": "0" * 64, "path": "../etcd.tar.gz"}
    (store.folder / "artifacts.lock.yml").write_text(yaml.safe_dump({"artifacts": [lock]}))
    assert "SHA-256 of etcd 3.5.1 is wrong" in store.bootstrap(expect=2).stderr
    (store.folder / "artifacts.lock.yml").unlink()
    assert untouched(store)


def test_an_unreachable_node_stops_the_run_before_it_begins(store: Store) -> None:
    store.write(3)
    store.lab.chaos("n2", "cut")
    try:
        assert "n2" in store.bootstrap(expect=3).stderr
        assert untouched(store)
    finally:
        store.lab.chaos("n2", "heal")


def test_preflight_names_the_host_and_the_reason(store: Store) -> None:
    store.sh("n3", "mkdir -p /var/lib/etcd/member")
    said = store.bootstrap(expect=2).stderr
    assert "n3: /var/lib/etcd holds another cluster" in said
    store.sh("n3", "rm -r /var/lib/etcd")
    assert untouched(store)


def test_a_dry_run_changes_nothing(store: Store) -> None:
    said = store.bootstrap("--check", "--diff").stdout
    assert "form the cluster: start n1, n2, n3 at once" in said
    assert "PRIVATE KEY" not in said
    assert untouched(store)


def test_killed_again_and_again_it_still_forms_one_cluster(store: Store) -> None:
    for seconds in (0.8, 1.6, 2.4, 3.4, 4.8):
        running = warm.start(store.command(), cwd=store.folder.parent)
        try:
            running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate(timeout=60)
    store.bootstrap()
    assert store.members() == {"n1", "n2", "n3"}


def test_the_second_run_is_one_exchange_and_changes_nothing(store: Store) -> None:
    again = store.result()
    assert again["changes"] == []
    assert set(again["exchanges"].values()) == {1}


def test_the_shipped_suite_passes(store: Store) -> None:
    store.bootstrap("--verify")


def test_new_settings_show_first_and_then_roll_without_losing_a_write(store: Store) -> None:
    store.write(3, etcd_extra_sans=["etcd.example"], etcd_flags={"snapshot-count": 20000})
    said = store.bootstrap("--check", "--diff").stdout
    assert '+ETCD_SNAPSHOT_COUNT="20000"' in said
    assert "its names changed: +etcd.example" in said
    ends = store.result("--check")["endpoints"]
    put = f"{CTL} --endpoints {','.join(ends)} put k"
    # etcd drops proposals while leadership moves: a client tries again. Nothing that was acknowledged may be lost, and
    # the cluster must answer. A pause between them: an etcdctl after the other takes a processor for itself.
    again = f"n=0; until {put} $i >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 60 ] || break; sleep 0.3; done"
    loop = (
        f"for i in $(seq 1 400); do {again}; [ $n -lt 60 ] && echo acknowledged $i || echo unavailable; sleep 0.2; done"
    )
    writer = subprocess.Popen(
        store.lab.ssh_command("n3", [f"sudo sh -c '{loop}'"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        done = store.result()
    finally:
        writer.kill()
        said = writer.communicate(timeout=90)[0].decode()
    acknowledged = [int(word) for word in said.split() if word.isdecimal()]
    assert len(acknowledged) > 5
    assert "unavailable" not in said
    assert int(store.sh("n3", f"{CTL} get k --print-value-only")) >= acknowledged[-1]
    restarts = [change for change in done["changes"] if "restart" in change]
    assert len(restarts) == 3
    assert any("move the leadership" in change for change in done["changes"])
    assert store.result()["changes"] == []


def test_a_wiped_member_is_replaced_and_the_data_survives(store: Store) -> None:
    store.sh("n1", f"{CTL} put kept precious")
    store.sh("n2", "systemctl kill -s KILL etcd; rm -rf /var/lib/etcd/member")
    done = store.result()
    assert any("lost its data" in change for change in done["changes"])
    assert "promote n2 to a voter" in done["changes"]
    assert store.sh("n2", f"{CTL} get kept --print-value-only") == "precious"


def test_a_rebooted_node_comes_back_by_itself(store: Store) -> None:
    store.lab.chaos("n3", "kill")
    store.lab.chaos("n3", "poweron")
    deadline = time.monotonic() + 180
    while "true" not in store.sh("n3", f"{CTL} endpoint health -w json", check=False):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert store.result()["changes"] == []


def test_growing_reporting_and_pruning(store: Store) -> None:
    same = {"etcd_extra_sans": ["etcd.example"], "etcd_flags": {"snapshot-count": 20000}}
    store.write(5, **same)
    store.bootstrap()
    assert store.members() == {"n1", "n2", "n3", "n4", "n5"}
    store.write(3, **same)
    reported = store.result()
    assert sorted(reported["strays"]) == ["n4", "n5"]
    assert len(store.members()) == 5
    store.bootstrap("--prune")
    assert store.members() == {"n1", "n2", "n3"}


def test_lost_quorum_is_refused(store: Store) -> None:
    for node in ("n1", "n2"):
        store.sh(node, "systemctl kill -s KILL etcd; rm -rf /var/lib/etcd/member")
    assert "the quorum is lost" in store.bootstrap(expect=4).stderr
    assert store.sh("n3", "test -d /var/lib/etcd/member && echo kept") == "kept"


def test_the_authority_s_key_never_travelled(store: Store) -> None:
    for node in ("n1", "n2", "n3"):
        assert store.sh(node, "find / -xdev -name ca.key 2>/dev/null", check=False) == ""
    key = (store.folder / "pki" / "nodes" / "n1.key").read_text().splitlines()[1]
    journals = shutil.which("grep")
    assert journals
    found = subprocess.run([journals, "-r", "-l", "-F", key, str(store.folder.parent / ".coreops")], check=False)
    assert found.returncode == 1
