"""What bootstrap learns of a scheduler before it opens anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from coreops.errors import InputError
from coreops.inventory import load_inventory
from coreops.schedulers import install, kept, registry
from coreops.schedulers.protocol import Artifact, Cluster
from tests.schedulers import toy

HOSTS = "all: {vars: {scheduler: toy}, children: {store: {hosts: {n1: {ansible_host: 10.0.0.1}}}}}\n"
LOCK = """\
artifacts:
  - {name: nomad, version: 1.7.7, arch: amd64, sha256: %s, path: nomad.zip}
""" % ("a" * 64)


class Installed(toy.Toy):
    """A toy that has something to install."""

    def artifacts(self) -> Mapping[str, Artifact]:
        return dict.fromkeys(self.cluster.names, Artifact("nomad"))

    def playbook(self) -> str:
        return "toy"


@pytest.fixture
def prepare(tmp_path: Path, toy: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "hosts.yml").write_text(HOSTS)

    def adapter(name: str) -> registry.Adapter:
        return registry.Adapter("toy", ("toy_",), lambda cluster: Installed(cluster), {})

    def run(**more: Any) -> install.Install | None:
        return install.prepare(load_inventory(tmp_path / "hosts.yml"), {}, tmp_path / "mine" / "bootstrap.yml", **more)

    monkeypatch.setattr(registry, "adapter", adapter)
    return run


def test_no_scheduler_is_nothing_to_do(tmp_path: Path, prepare: Any) -> None:
    (tmp_path / "hosts.yml").write_text(HOSTS.replace("toy", "none"))
    assert prepare() is None
    with pytest.raises(InputError, match="there are no tokens to rotate"):
        prepare(rotate=True)


def test_what_is_needed_is_pinned(tmp_path: Path, prepare: Any) -> None:
    (tmp_path / "artifacts.lock.yml").write_text(LOCK)
    found = prepare()
    assert found.locked["n1"].location == str(tmp_path / "nomad.zip")
    assert found.secrets.pending == ("toy.token",)
    assert not (tmp_path / "pki").exists()
    assert found.name == "toy"
    (tmp_path / "artifacts.lock.yml").write_text(LOCK.replace("1.7.7, arch: amd64", "1.7.7, arch: arm64"))
    with pytest.raises(InputError, match="no nomad amd64"):
        prepare()


def test_what_is_pinned_must_not_be_too_old(tmp_path: Path, prepare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "artifacts.lock.yml").write_text(LOCK)
    for oldest in ((1, 7, 7), (1, 7), (1, 6, 9), ()):
        monkeypatch.setattr(
            Installed, "artifacts", lambda self, oldest=oldest: {"n1": Artifact("nomad", oldest=oldest)}
        )
        assert prepare() is not None
    monkeypatch.setattr(Installed, "artifacts", lambda self: {"n1": Artifact("nomad", oldest=(1, 10))})
    with pytest.raises(InputError, match=r"nomad 1\.7\.7 is too old") as caught:
        prepare()
    assert "artifacts.lock.yml:" in str(caught.value.where)


def test_secrets_that_are_files_are_made_anew_on_request(
    tmp_path: Path, prepare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "artifacts.lock.yml").write_text(LOCK)
    kept.save(prepare().secrets)
    assert prepare(rotate=True).secrets.pending == ()
    monkeypatch.setattr(Installed, "renewable", lambda self: ("toy.token",), raising=False)
    assert prepare().secrets.pending == ()
    found = prepare(rotate=True)
    assert (found.secrets.pending, found.renewed) == (("toy.token",), ("toy.token",))


def test_the_operators_own_playbook_wins(tmp_path: Path, prepare: Any) -> None:
    (tmp_path / "artifacts.lock.yml").write_text(LOCK)
    assert prepare().playbook.name == "toy.yml"
    assert prepare().playbook.parent.name == "playbooks"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "toy.yml").touch()
    assert prepare().playbook == tmp_path / "mine" / "toy.yml"


@pytest.mark.parametrize("name", registry.PREFIXES)
def test_shipped_playbooks_can_be_read(name: str) -> None:
    """Every tag that bootstrap itself asks for is there."""
    from coreops.playbook import load_playbook

    path = install._playbook(name, Path("/nowhere"))
    assert path is not None
    plays = load_playbook(path).plays
    assert any("install" in task.tags for play in plays for task in play.tasks)


def test_a_cluster_is_made_before_anything_else(prepare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(cluster: Cluster) -> toy.Toy:
        raise InputError("two managers", where=cluster.origin("n1", "scheduler_role"))

    monkeypatch.setattr(registry, "adapter", lambda name: registry.Adapter("toy", ("toy_",), refuse, {}))
    with pytest.raises(InputError, match="two managers") as caught:
        prepare()
    assert str(caught.value.where).endswith("hosts.yml:1:14")


def test_a_limit_may_name_hosts_beside_the_store(tmp_path: Path, toy: None) -> None:
    """What bootstrap is told of hosts and certificates that etcd does not need."""
    from coreops.store import phases
    from coreops.store.pki import Leaf
    from coreops.store.run import Options
    from coreops.store.wanted import default_playbook

    (tmp_path / "hosts.yml").write_text(
        "all: {vars: {scheduler: toy}, children: {store: {hosts: {n1: {ansible_host: 10.0.0.1}}}},"
        " hosts: {w1: {ansible_host: 10.0.0.2}, w2: {ansible_host: 10.0.0.3}}}\n"
    )
    found = install.prepare(load_inventory(tmp_path / "hosts.yml"), {}, default_playbook())
    assert found is not None
    assert sorted(found.wanted.targets) == ["n1", "w1", "w2"]

    def prepare(limit: str) -> Any:
        return phases.prepare(
            Options(
                inventory=tmp_path / "hosts.yml",
                playbook=default_playbook(),
                run="test",
                limit=limit,
                beside=found.wanted.targets,
                leaves=(Leaf("toy/w1", "w1", ("10.0.0.2",)),),
            ),
            lambda event: None,
        )

    run = prepare("w1")
    assert (run.hosts, run.only, run.everybody) == ((), {"w1"}, ("n1", "w1", "w2"))
    assert "toy/w1.key" in run.pki.files
    assert set(run.engine.targets) == {"n1", "w1", "w2"}
    assert prepare("n1:w2").hosts == ("n1",)
    with pytest.raises(InputError, match="leaves no host of the group store and none of the scheduler"):
        prepare("all:!all")


def test_what_is_carried_besides_is_pinned_too(prepare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Installed, "carried", lambda self: {"n1": Artifact("k3s-images")}, raising=False)
    (tmp_path / "artifacts.lock.yml").write_text(LOCK)
    with pytest.raises(InputError, match="no k3s-images amd64"):
        prepare()
    images = LOCK.splitlines()[-1].replace("nomad.zip", "i.tar").replace("nomad", "k3s-images")
    (tmp_path / "artifacts.lock.yml").write_text(f"{LOCK.rstrip()}\n{images}\n")
    assert prepare().locked["n1/k3s-images"].location == str(tmp_path / "i.tar")
