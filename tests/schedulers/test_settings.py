"""Which scheduler an inventory wants, and what is wrong with what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.inventory import load_inventory
from coreops.schedulers import registry, settings
from coreops.schedulers.settings import Wanted

pytestmark = pytest.mark.usefixtures("toy")

BASE = """\
all:
  vars: {scheduler: toy}
  children:
    store:
      hosts: {n1: {ansible_host: 10.0.0.1, zone: a}, n2: {ansible_host: 10.0.0.2}, n3: {ansible_host: 10.0.0.3}}
    rest:
      hosts:
        w1: {ansible_host: 10.0.0.4, zone: 2, node_labels: {disk: ssd, gpu: true, size: 3}, toy_size: 4}
        w2: {ansible_host: 10.0.0.5, scheduler: none}
"""


def read(folder: Path, text: str) -> Wanted | None:
    (folder / "hosts.yml").write_text(text)
    return settings.read(load_inventory(folder / "hosts.yml"), {})


def wanted(folder: Path, text: str = BASE) -> Wanted:
    found = read(folder, text)
    assert found is not None
    return found


def refused(folder: Path, text: str, match: str) -> InputError:
    with pytest.raises(InputError, match=match) as caught:
        read(folder, text)
    return caught.value


def test_hosts_roles_labels_and_settings(tmp_path: Path) -> None:
    found = wanted(tmp_path)
    assert found.name == "toy"
    assert [(host.name, host.role, host.address) for host in found.cluster.hosts] == [
        ("n1", "manager", "10.0.0.1"),
        ("n2", "manager", "10.0.0.2"),
        ("n3", "manager", "10.0.0.3"),
        ("w1", "worker", "10.0.0.4"),
    ]
    worker = found.cluster.host("w1")
    assert worker.zone == "2"
    assert worker.labels == {"disk": "ssd", "gpu": "true", "size": "3", "zone": "2"}
    assert worker.settings == {"toy_size": 4}
    assert found.cluster.host("n2").labels == {}
    assert found.cluster.store == tuple(f"https://10.0.0.{number}:2379" for number in (1, 2, 3))
    assert list(found.targets) == ["n1", "n2", "n3", "w1"]
    assert all(target.become for target in found.targets.values())


def test_what_is_written_wins(tmp_path: Path) -> None:
    text = (
        BASE.replace(
            "ansible_host: 10.0.0.4,",
            'ansible_host: 10.0.0.4, scheduler_address: "{{ inside }}", inside: fd00::4, scheduler_arch: arm64,',
        )
        .replace("n3: {", "n3: {scheduler_role: worker, ")
        .replace("w2: {", "w2: {scheduler_role: manager, ")
    )
    text = text.replace(", scheduler: none", "")
    found = wanted(tmp_path, text)
    assert [host.name for host in found.cluster.managers] == ["n1", "n2", "w2"]
    assert (found.cluster.host("w1").address, found.cluster.host("w1").arch) == ("fd00::4", "arm64")


@pytest.mark.parametrize("text", [BASE.replace("toy}", "none}"), BASE.replace("vars: {scheduler: toy}", "vars: {}")])
def test_no_scheduler(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) is None
    inventory = load_inventory(tmp_path / "hosts.yml")
    with pytest.raises(InputError, match="the inventory has no scheduler") as caught:
        settings.need(inventory, {}, tmp_path / "hosts.yml")
    assert "coreops bootstrap" in (caught.value.next or "")
    assert "toy" in (caught.value.next or "")


def test_variables_of_others_are_none_of_its_business(tmp_path: Path) -> None:
    assert read(tmp_path, BASE.replace("toy_size: 4", "tools_size: 4, size: x, nomadic: 1")) is not None


def test_an_unknown_scheduler(tmp_path: Path) -> None:
    error = refused(tmp_path, BASE.replace("scheduler: toy", "scheduler: tony"), "unknown scheduler 'tony'")
    assert error.where == f"{tmp_path}/hosts.yml:2:10"
    assert error.next == "did you mean 'toy'?"
    error = refused(tmp_path, BASE.replace("scheduler: toy", "scheduler: [1]"), "unknown scheduler")
    assert (error.next or "").endswith(", toy, none")


def test_two_schedulers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PREFIXES, "toy2", ("toy2_",))
    text = BASE.replace("scheduler: none", "scheduler: toy2")
    error = refused(tmp_path, text, "host w2 has the scheduler toy2, and n1 has toy")
    assert str(error.where).startswith(f"{tmp_path}/hosts.yml:9:")


@pytest.mark.parametrize(
    ("old", "new", "what", "why"),
    [
        ("toy_size: 4", "toy_sizes: 4", "unknown variable toy_sizes of host w1", "did you mean 'toy_size'?"),
        ("toy_size: 4", "toy_size: big", "toy_size is not usable", "it must be a number, found 'big'"),
        ("toy_size: 4", "scheduler_rule: x", "unknown variable scheduler_rule", "did you mean 'scheduler_role'?"),
        ("toy_size: 4", "scheduler_role: mangaer", "scheduler_role is not usable", "did you mean 'manager'?"),
        ("toy_size: 4", "scheduler_address: '-x y'", "scheduler_address is not usable", "found '-x y'"),
        ("zone: 2", "zone: a b", "zone is not usable", "it must be one word, found 'a b'"),
        ("zone: 2", "zone: [a]", "zone is not usable", "it must be one word"),
        ("disk: ssd", "'a b': ssd", "node_labels is not usable", "'a b' cannot be the name of a label"),
        ("disk: ssd", "coreops.host: x", "node_labels is not usable", "a label that coreops sets itself"),
        ("disk: ssd", "zone: x", "node_labels is not usable", "coreops sets itself \\(from zone\\)"),
        ("disk: ssd", 'disk: "a\\nb"', "node_labels is not usable", "a text of one line"),
        ("disk: ssd", "disk: [a]", "node_labels is not usable", "a text of one line"),
        ("{disk: ssd, gpu: true, size: 3}", "disk", "node_labels is not usable", "a mapping of labels"),
        ("10.0.0.4,", "10.0.0.3,", "hosts n3 and w1 have one address", "n3 is at 10.0.0.3 too"),
        ("toy_size: 4", "scheduler_address: 10.0.0.3", "hosts n3 and w1 have one address", "both would be 10.0.0.3"),
    ],
)
def test_mistakes_have_a_place(tmp_path: Path, old: str, new: str, what: str, why: str) -> None:
    assert old in BASE
    error = refused(tmp_path, BASE.replace(old, new), what)
    assert str(error.where).startswith(f"{tmp_path}/hosts.yml:8:")
    assert re.search(why, f"{error.why} {error.next}")


def test_what_an_adapter_refuses_has_a_place(tmp_path: Path) -> None:
    error = refused(tmp_path, BASE.replace("w2: {", "w2: {scheduler_role: manager, ").replace(
        ", scheduler: none", ""), "an even number of managers")  # fmt: skip
    assert str(error.where).startswith(f"{tmp_path}/hosts.yml:9:")
    error = refused(tmp_path, BASE.replace(" n2: {ansible_host: 10.0.0.2},", ""), "an even number of managers")
    assert error.where == f"{tmp_path}/hosts.yml:2:10", "where the scheduler was chosen"


@given(st.text(max_size=30))
def test_labels_are_one_line_of_text_or_refused(value: str) -> None:
    if value.isprintable():
        assert settings._labels({"a": value}) == {"a": value}
    else:
        with pytest.raises(ValueError, match="a text of one line"):
            settings._labels({"a": value})


def test_every_registered_adapter_can_be_had() -> None:
    for name in registry.PREFIXES:
        adapter = registry.adapter(name)
        assert callable(adapter.make)
        assert all(variable.startswith(adapter.prefixes) for variable in adapter.variables)
        assert all(callable(reader) for reader in adapter.variables.values())
