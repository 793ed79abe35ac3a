"""``coreops bootstrap`` with ``scheduler: nomad`` on real nodes: all of it but Nomad itself (``tests.lab.nomad``). The
tests build on each other, as a cluster's life does.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from coreops.providers.namespace.lab import Lab
from coreops.store import lockfile
from tests.lab import inside
from tests.lab.nomad import PROGRAM, Cluster
from tests.lab.store_client import CALM
from tests.support import warm

pytestmark = pytest.mark.lab
MODES = {"nomad.json": 0o640, "gossip.json": 0o600, "pki": 0o700, "pki/node.key": 0o600, "pki/node.crt": 0o644}


class Site:
    """An inventory, and the nodes behind it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.cluster = Cluster(lab, ["n1", "n2", "n3"], ["n2", "n3"])
        self.want("1.7.7")

    def want(self, version: str, **variables: Any) -> None:
        program = PROGRAM.replace("VERSION", version).encode()
        (self.folder.parent / f"nomad-{version}").write_bytes(program)
        nomad = {"name": "nomad", "version": version, "arch": "amd64", "path": f"../nomad-{version}"}
        nomad["sha256"] = hashlib.sha256(program).hexdigest()
        etcd = lockfile.read(lockfile.DEFAULT)[0]
        store = {"name": "etcd", "version": etcd.version, "arch": etcd.arch, "sha256": etcd.sha256}
        text = yaml.safe_dump({"artifacts": [nomad, {**store, etcd.source: etcd.location}]})
        (self.folder / "artifacts.lock.yml").write_text(text)
        whole = yaml.safe_load((self.lab.inventory / "hosts.yml").read_text())["all"]
        hosts = whole["children"]["store"]["hosts"]
        hosts["n1"] = {**(hosts["n1"] or {}), "nomad_client": False}
        every = {
            **whole.get("vars", {}),
            "scheduler": "nomad",
            "nomad_version": version,
            "etcd_flags": CALM,
            **variables,
        }
        groups = {"all": {"vars": every, "children": {"store": {"hosts": hosts}}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(groups))

    def coreops(self, *words: str, code: int = 0) -> str:
        done = warm.run([sys.executable, "-c", warm.MAIN, *words], cwd=self.folder, timeout=300)
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def bootstrap(self, *words: str, code: int = 0) -> str:
        return self.coreops("bootstrap", str(self.folder), *words, code=code)


@pytest.fixture(scope="module")
def site(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    name = f"n{os.getpid()}"
    base = tmp_path_factory.mktemp("nomad")
    (base / "inventory").mkdir()
    try:
        made = Site(Lab.up(name, nodes=3, zones=3, inventory_folder=base / "lab"), base / "inventory")
        for file in (base / "lab").iterdir():
            if file.is_file() and file.name != "hosts.yml":
                (base / "inventory" / file.name).write_bytes(file.read_bytes())
        yield made
        made.cluster.close()
    finally:
        Lab.down(name)


def test_from_nothing_to_a_cluster(site: Site) -> None:
    said = site.bootstrap()
    assert "form the cluster: start n1, n2, n3 at once" in said
    assert "3 nodes ready, leader n1" in said
    key = (site.folder / "pki" / "nomad-gossip").read_text().strip()
    assert key not in said
    for name, user in (("n1", "nomad"), ("n2", "root"), ("n3", "root")):
        config = json.loads(site.cluster.file(name, "/etc/nomad.d/nomad.json").read_text())
        assert config["client"]["enabled"] == (name != "n1")
        gossip = site.cluster.file(name, "/etc/nomad.d/gossip.json")
        assert json.loads(gossip.read_text()) == {"server": {"encrypt": key}}
        assert not site.cluster.file(name, "/etc/nomad.d/first.json").exists()
        for path, mode in MODES.items():
            found = site.cluster.file(name, f"/etc/nomad.d/{path}").stat()
            assert stat.S_IMODE(found.st_mode) == mode, path
            assert found.st_mode & stat.S_IRWXO == 0 or path.endswith(".crt")
        show = "systemctl show nomad.service -p ActiveState -p UnitFileState -p User"
        unit = inside.sh(site.lab, name, show).split()
        assert sorted(unit) == ["ActiveState=active", "UnitFileState=enabled", f"User={user}"]
    assert sorted(site.cluster.started) == ["n1", "n2", "n3"]


def test_again_there_is_nothing_to_do(site: Site) -> None:
    said = site.bootstrap()
    assert "3 nodes, as wanted: nothing to change" in said
    assert "3 hosts: nothing to change" in said
    assert len(site.cluster.started) == 3


def test_work_is_moved_away_and_comes_back(site: Site) -> None:
    site.cluster.nomad.run("n2", "web")
    site.coreops("drain", "n2", "-i", str(site.folder), "--reason", "new disk")
    assert [each.node.name for each in site.cluster.nomad.allocs if each.status == "running"] == ["n3"]
    nodes = site.coreops("nodes", "-i", str(site.folder))
    assert "operator" in nodes
    site.coreops("uncordon", "n2", "-i", str(site.folder))
    assert site.cluster.nomad.named("n2").eligible


def test_a_new_gossip_key_and_a_new_release(site: Site) -> None:
    """The key first, while agents run; then they restart one by one, the leader last."""
    old = site.cluster.nomad.keys[0]
    site.want("1.8.4", node_labels={"disk": "ssd"}, nomad_acl=True)
    said = site.bootstrap("--rotate-tokens")
    assert "change the key of the servers' gossip" in said
    assert "give Nomad's ACLs their first token" in said
    token = (site.folder / "pki" / "nomad-token").read_text().strip()
    assert site.cluster.nomad.tokens == [token]
    assert "take away the tokens before this one" in said
    assert len(site.cluster.nomad.about) == 2  # one that was drawn here, and one by Nomad when it had that
    files = [path for path in site.folder.rglob(".coreops/**/*") if path.is_file()]
    assert files
    kept = [said, *(path.read_text(errors="replace") for path in files)]
    assert not any(each in text for each in site.cluster.nomad.about for text in kept)
    there = site.cluster.file("n2", "/etc/nomad.d/pki/token")
    assert stat.S_IMODE(there.stat().st_mode) == 0o600
    assert there.read_text() == f"X-Nomad-Token: {token}\n"
    new = (site.folder / "pki" / "nomad-gossip").read_text().strip()
    assert site.cluster.nomad.keys == [new]
    assert old != new
    assert new not in said
    assert site.cluster.started[3:] == ["n2", "n3", "n1"]
    assert {each.version for each in site.cluster.nomad.servers} == {"1.8.4"}


def test_units_become_jobs(site: Site) -> None:
    """``coreops units``, whole, with the token of the ACLs."""
    text = "[Service]\nExecStart=/usr/bin/docker run --rm --init --name web-%i nginx:1\n"
    (site.folder.parent / "web@.service").write_text(
        text + "[X-Fleet]\nConflicts=web@*.service\nMachineMetadata=disk=ssd\n"
    )
    file = str(site.folder.parent / "web@1..2.service")
    for node in site.cluster.nomad.nodes.values():
        config = json.loads(site.cluster.file(node.name, "/etc/nomad.d/nomad.json").read_text())
        node.meta = config["client"]["meta"]
    said = site.coreops("units", "start", file, "-i", str(site.folder))
    assert {line.split()[2] for line in said.splitlines() if line.startswith("web@")} == {"n2", "n3"}
    third = str(site.folder.parent / "web@3.service")
    assert "distinct_hosts keeps out 2" in site.coreops("units", "start", third, "-i", str(site.folder), code=4)
    site.coreops("units", "destroy", "web@1..2", "-i", str(site.folder))
    assert site.cluster.nomad.jobs == {}


def test_an_older_release_is_refused(site: Site) -> None:
    before = os.readlink(site.cluster.file("n1", "/opt/nomad/wanted"))
    site.want("1.7.7")
    assert "a downgrade of Nomad from 1.8.4 to 1.7.7 is refused" in site.bootstrap(code=4)
    assert len(site.cluster.started) == 6
    for link in ("wanted", "current"):
        assert os.readlink(site.cluster.file("n1", f"/opt/nomad/{link}")) == before
