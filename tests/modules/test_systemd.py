"""systemd against a systemctl that keeps its units in files; reboot's script against a systemd-run that only notes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.model import Record, ShellStep
from coreops.modules import registry
from coreops.modules.arguments import parse
from tests.modules.harness import HERE, Node, context, steps_of

FAKE = Path(__file__).with_name("fake_systemctl")


@pytest.fixture
def units(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the fake's units."""
    folder = tmp_path / "units"
    folder.mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(FAKE, tmp_path / "bin" / "systemctl")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_UNITS", str(folder))
    (folder / "etcd").write_text("loaded\ninactive\ndisabled\n")
    return folder


def asked(units: Path) -> list[str]:
    return [line for line in (units / ".log").read_text().splitlines() if not line.startswith("show")]


def test_started_and_enabled(node: Node, units: Path) -> None:
    raw = {"name": "etcd", "state": "started", "enabled": True, "daemon_reload": True, "no_block": True}
    result = node.settles("systemd", raw, lambda: (units / "etcd").read_text() == "loaded\nactive\nenabled\n")
    assert asked(units)[:3] == ["daemon-reload", "enable -- etcd", "start --no-block -- etcd"]
    assert result.data["status"]["ActiveState"] == "inactive"
    assert result.data["status"]["FragmentPath"] == "/x=y"
    # Only what is missing is done.
    (units / "etcd").write_text("loaded\ninactive\nstatic\n")
    (units / ".log").unlink()
    assert node.run("service", {"name": "etcd", "state": "started", "enabled": "yes"}).changed
    assert asked(units) == ["start -- etcd"]


@pytest.mark.parametrize(
    ("raw", "start", "end"),
    [
        ({"state": "stopped"}, "loaded\nactive\n", "loaded\ninactive\n"),
        ({"enabled": False}, "loaded\nactive\nenabled", "loaded\nactive\ndisabled"),
        ({"masked": True, "state": "stopped"}, "loaded\nactive\n", "masked\ninactive\nmasked"),
        ({"masked": False}, "masked\ninactive\nmasked", "loaded\ninactive\ndisabled"),
    ],
)
def test_other_states(node: Node, units: Path, raw: dict[str, object], start: str, end: str) -> None:
    (units / "u").write_text(start)
    node.settles("systemd", {"name": "u", **raw}, lambda: (units / "u").read_text().strip() == end.strip())


def test_restarted_is_always_a_change(node: Node, units: Path) -> None:
    for state in ("restarted", "reloaded"):
        assert node.run("systemd", {"name": "etcd", "state": state}, check=True).changed
    assert "start" not in str(asked(units) if (units / ".log").exists() else "").replace("restart", "")
    for _ in range(2):
        assert node.run("systemd", {"name": "etcd", "state": "restarted"}).changed
    (step,) = steps_of("systemd", {"name": "etcd", "state": "restarted"})
    assert isinstance(step, ShellStep)
    assert step.once


def test_a_unit_that_is_not_there(node: Node, units: Path) -> None:
    missing = node.run("systemd", {"name": "nothing", "state": "started"})
    assert missing.failed
    assert "there is no unit nothing" in missing.message
    assert not (units / "nothing").exists()
    assert not node.run("systemd", {"name": "nothing", "masked": True}).failed


def test_a_unit_that_does_not_start(node: Node, units: Path) -> None:
    (units / "broken").write_text("loaded\ninactive\n")
    result = node.run("systemd", {"name": "broken", "state": "started"})
    assert result.failed
    assert "Job for broken.service failed." in result.message
    assert "log of broken" in result.message


def test_daemon_reload_is_no_change(node: Node, units: Path) -> None:
    assert not node.run("systemd", {"daemon-reload": True}).changed
    checked = node.run("systemd", {"daemon_reload": True}, check=True)
    assert (checked.changed, checked.skipped, checked.failed) == (False, False, False)
    assert asked(units) == ["daemon-reload"]
    looked = node.run("systemd", {"name": "etcd"})
    assert (looked.changed, looked.data["status"]["LoadState"]) == (False, "loaded")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({}, "nothing to do"),
        ({"state": "started"}, "needs the name"),
        ({"name": "a*", "state": "started"}, "not the name of a unit"),
        ({"name": "-H", "state": "started"}, "not the name of a unit"),
        ({"name": "x", "state": "running"}, "state"),
        ({"name": "x", "scope": "user"}, "scope"),
    ],
)
def test_bad_arguments(raw: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(registry.get("systemd"), raw, HERE)
    assert says in str(caught.value)


def test_reboot_is_scheduled_and_waited_for() -> None:
    raw = {
        "msg": "it's $(id)",
        "reboot_timeout": 120,
        "test_command": "systemctl is-active sshd",
        "post_reboot_delay": 2,
    }
    reboot, test = steps_of("reboot", raw)
    assert isinstance(reboot, ShellStep)
    assert isinstance(test, ShellStep)
    assert reboot.reconnect is not None
    assert (reboot.reconnect.timeout, reboot.once, test.reconnect) == (120, True, None)
    module = registry.get("reboot")
    args = parse(module, raw, HERE)
    records = [Record("t.0", "changed", before=b"id\n", seconds=12.4), Record("t.1", "ok", seconds=1)]
    result = module.result(args, context(), records)
    assert (result.changed, result.data["rebooted"], result.data["elapsed"]) == (True, True, 13)
    assert module.result(args, context(), [Record("t.0", "would")]).changed


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"], ["busybox", "sh"]], ids=lambda s: s[0])
def test_reboot_command_runs_when_the_script_has_ended(shell: list[str], tmp_path: Path) -> None:
    done = tmp_path / "it's done"
    (step,) = steps_of("reboot", {"reboot_command": f'touch "{done}"', "msg": "m"})
    assert isinstance(step, ShellStep)
    act = (step.act or "").replace("/run/systemd/system", "/nowhere").replace("wall", "true")
    subprocess.run([*shell, "-c", act.replace("sleep 1", "sleep 0.2")], check=True, timeout=20)
    subprocess.run(
        ["sh", "-c", 'n=0; until [ -e "$0" ]; do n=$((n+1)); [ $n -lt 100 ]; sleep 0.1; done', done], check=True
    )
