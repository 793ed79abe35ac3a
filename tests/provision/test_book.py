"""One process at a time writes the book."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import RefusedError
from coreops.providers.protocol import Machine
from coreops.provision.book import opened


def test_a_second_run_is_refused_while_the_first_is_under_way(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(RefusedError, match="another coreops"), opened(tmp_path):
        pass
    with opened(tmp_path):
        pass


def test_another_machine_of_the_name_is_not_forgotten(tmp_path: Path) -> None:
    with opened(tmp_path) as book:
        machine = Machine("n1", "i-2", "running", {"private_ipv4": "192.0.2.1"})
        book.learn("memory", "c", machine, (), ())
        book.forget(Machine("n1", "i-1", "running"))
        assert book.keys(machine) == ()
    assert "i-2" in (tmp_path / ".coreops/machines.json").read_text()
    assert not (tmp_path / "known_hosts").exists()
    assert [path.name for path in (tmp_path / ".coreops").iterdir() if path.name.endswith(".tmp")] == []


def test_a_link_to_known_hosts_stays_one(tmp_path: Path) -> None:
    from tests.provision.cloud import key

    (tmp_path / "real").write_text("")
    (tmp_path / "known_hosts").symlink_to("real")
    with opened(tmp_path) as book:
        book.learn("memory", "c", Machine("n1", "i", "running", {"private_ipv4": "192.0.2.1"}), (key("i"),), ())
    assert (tmp_path / "known_hosts").is_symlink()
    assert key("i") in (tmp_path / "real").read_text()
