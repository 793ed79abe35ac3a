"""Both versions of cgroups, on folders that look like them; the real ones are in tests/lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import CoreopsError
from coreops.providers.namespace import cgroup
from coreops.providers.namespace.cgroup import Hierarchy


def use(monkeypatch: pytest.MonkeyPatch, *trees: Hierarchy) -> None:
    monkeypatch.setattr(cgroup, "hierarchies", lambda: trees)


def test_version_2_hands_controllers_down_but_leaves_the_top_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, Hierarchy(tmp_path, 2, frozenset()))
    for folder in (tmp_path, tmp_path / "labs", tmp_path / "labs/one"):
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.controllers").write_text("memory pids\n")
    cgroup.create("labs/one/node")
    assert not (tmp_path / "cgroup.subtree_control").exists()
    assert (tmp_path / "labs/cgroup.subtree_control").read_text() == "+memory +pids"
    assert (tmp_path / "labs/one/cgroup.subtree_control").read_text() == "+memory +pids"
    assert not (tmp_path / "labs/one/node/cgroup.subtree_control").exists()


def test_version_1_copies_an_empty_cpuset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, Hierarchy(tmp_path, 1, frozenset({"cpuset"})))
    (tmp_path / "labs").mkdir()
    for name, value in (("cpuset.cpus", "0-1\n"), ("cpuset.mems", "0\n")):
        (tmp_path / name).write_text(value)
        (tmp_path / "labs" / name).write_text("\n")
    cgroup.create("labs")
    assert (tmp_path / "labs/cpuset.cpus").read_text() == "0-1\n"


def test_what_holds_nodes_weighs_more_than_a_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = cgroup.Hierarchy(tmp_path / "cpu", 1, frozenset({"cpu"}))
    monkeypatch.setattr(cgroup, "hierarchies", lambda: (one,))
    for folder in ("labs", "labs/one", "labs/one/node"):
        (one.path / folder).mkdir(parents=True)
        (one.path / folder / "cpu.shares").write_text("1024")
    cgroup.create("labs/one/node")
    weights = [(one.path / folder / "cpu.shares").read_text() for folder in ("labs", "labs/one", "labs/one/node")]
    assert weights == ["3072", "3072", "1024"]


def test_version_2_is_frozen_when_the_kernel_says_so_and_not_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, Hierarchy(tmp_path, 2, frozenset()))
    (tmp_path / "cgroup.freeze").write_text("0\n")
    events = tmp_path / "cgroup.events"
    events.write_text("populated 1\nfrozen 0\n")
    with pytest.raises(CoreopsError, match="did not freeze within"):
        cgroup.freeze("", True, timeout=0.05)
    assert cgroup.frozen("")
    events.write_text("populated 1\nfrozen 1\n")
    cgroup.freeze("", True, timeout=0.05)
    with pytest.raises(CoreopsError, match="did not thaw within"):
        cgroup.freeze("", False, timeout=0.05)
    assert not cgroup.frozen("")


def test_a_freezer_of_version_1_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    for folder in (one, two):
        folder.mkdir()
    use(monkeypatch, Hierarchy(two, 2, frozenset()), Hierarchy(one, 1, frozenset({"freezer"})))
    (one / "freezer.state").write_text("FREEZING\n")
    assert cgroup.frozen("")
    cgroup.freeze("", False)
    assert (one / "freezer.state").read_text() == "THAWED"
    assert not (two / "cgroup.freeze").exists()


def test_no_cgroup_is_not_frozen_and_no_freezer_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, Hierarchy(tmp_path, 2, frozenset()))
    assert not cgroup.frozen("gone")
    use(monkeypatch)
    with pytest.raises(CoreopsError, match="no cgroup freezer"):
        cgroup.freeze("any", True)
