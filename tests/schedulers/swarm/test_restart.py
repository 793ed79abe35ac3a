"""restart.sh and the facts of look.sh in this machine's shells, with stand-ins for systemd's programs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from coreops.schedulers.swarm.state import read_look

FOLDER = Path(__file__).parents[3] / "coreops/schedulers/swarm"
SYSTEMCTL = """\
case $1 in
    show) printf 'ActiveState=inactive\\nExecMainStartTimestampMonotonic=%s\\n' "${STARTED:-0}" ;;
    *) echo "systemctl $*" >>"$LOG" ;;
esac
"""
SAID = """time="2026-11-21T20:00:00Z" level=error msg="agent: session failed" backoff=8s error="session timed out" """


def run(folder: Path, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The script, with programs that only write down what they are told."""
    log = '#!/bin/sh\necho "${0##*/} $*" >>"$LOG"\n'
    programs = {"systemctl": "#!/bin/sh\n" + SYSTEMCTL, "sleep": log, "curl": log}
    programs["journalctl"] = '#!/bin/sh\n[ -z "$SAID" ] || printf "%s\\n" "$SAID"\n'
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    known = {"PATH": f"{folder}:{os.environ['PATH']}", "LOG": str(folder / "log"), "SAID": "", **env}
    return subprocess.run(["sh", FOLDER / script], env=known, capture_output=True, text=True, timeout=20, check=False)


def test_an_engine_that_is_revived_is_off_for_the_gap(tmp_path: Path) -> None:
    assert run(tmp_path, "restart.sh", VERB="revive", GAP="17.5").returncode == 0
    done = [line for line in (tmp_path / "log").read_text().splitlines() if "reset-failed" not in line]
    assert done[:-1] == [
        "systemctl stop docker.socket docker.service",
        "sleep 17.5",
        "systemctl start docker.socket",
        "systemctl start docker.service",
    ]
    assert done[-1].startswith("curl")


def test_one_whose_agent_cannot_reach_a_manager_is_left_alone(tmp_path: Path) -> None:
    done = run(tmp_path, "restart.sh", VERB="revive", GAP="17.5", SAID=SAID)
    assert (done.returncode, (tmp_path / "log").exists()) == (2, False)
    assert "its agent cannot reach the managers" in done.stderr
    assert "session timed out" in done.stderr


@pytest.mark.parametrize(("started", "age"), [("60", 60), ("0", 0)])
def test_a_look_tells_how_long_the_engine_has_run(tmp_path: Path, started: str, age: int) -> None:
    up = float(Path("/proc/uptime").read_text().split()[0])
    began = int((up - int(started)) * 1e6) if started != "0" else 0
    sight = read_look("n1", run(tmp_path, "look.sh", STARTED=str(began)).stdout)
    assert abs(sight.age - (age or up)) <= 5
    assert sight.now > 1_700_000_000
    assert not sight.running
