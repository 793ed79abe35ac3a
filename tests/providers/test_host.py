"""Refusals and the small tools of the host."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import pytest

from coreops.errors import CoreopsError, ExitCode, InputError
from coreops.providers.namespace import cgroup, host


def test_another_system_is_refused_with_the_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(InputError, match="needs Linux") as caught:
        host.require_linux_root()
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    assert "Linux VM" in str(caught.value.next)


def test_without_root_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InputError, match="needs root") as caught:
        host.require_linux_root()
    assert "sudo" in str(caught.value.next)


def test_all_missing_programs_are_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"missing on this machine: .*mmdebstrap.*systemd-nspawn") as caught:
        host.require_programs(build=True)
    assert str(caught.value.next).startswith("apt-get install")
    assert "systemd-container" in str(caught.value.next)
    with pytest.raises(InputError) as without_build:
        host.require_programs(build=False)
    assert "mmdebstrap" not in str(without_build.value)


def test_more_nodes_than_inotify_allows_are_refused_with_the_remedy() -> None:
    host.require_inotify(0)
    with pytest.raises(InputError, match=r"too few for 100000 more nodes") as caught:
        host.require_inotify(100_000)
    assert "sysctl fs.inotify.max_user_instances=" in str(caught.value.next)


def test_a_failing_program_says_what_it_said() -> None:
    with pytest.raises(CoreopsError, match="exit status 3") as caught:
        host.run(["sh", "-c", "echo why >&2; exit 3"])
    assert caught.value.why == "why"


def test_write_atomically_sets_content_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "f"
    host.write_atomically(file, "a", 0o600)
    host.write_atomically(file, "b", 0o644)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("b", 0o644)
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_lock_held(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert not host.lock_held(file)
    with file.open("w") as stream:
        assert not host.lock_held(file)
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert host.lock_held(file)
    assert not host.lock_held(file)


def test_a_locked_folder_may_be_deleted_by_its_holder(tmp_path: Path) -> None:
    with host.locked_folder(tmp_path / "a/b"):
        (tmp_path / "a/b").rmdir()
    with host.locked_folder(tmp_path / "a/b"):
        assert (tmp_path / "a/b").is_dir()


def test_wait_until_gives_up() -> None:
    assert not host.wait_until(lambda: False, 0.02, 0.005)
    assert host.wait_until(lambda: True, 0)


def test_cgroup_trees_of_both_versions() -> None:
    text = (
        "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
        "31 25 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "32 25 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
        "33 25 0:29 / /proc rw shared:9 master:1 - proc proc rw\n"
    )
    found = {str(tree.path): (tree.version, tree.controllers) for tree in cgroup.parse_mounts(text)}
    assert found == {
        "/sys/fs/cgroup": (2, frozenset()),
        "/sys/fs/cgroup/cpu": (1, {"cpu", "cpuacct"}),
        "/sys/fs/cgroup/systemd": (1, {"name=systemd"}),
    }
