"""scripts/: they are there, install what the product asks for, and refuse with a reason. None is run as a whole."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from coreops.providers.namespace import host
from tests.test_readme import check_command

ROOT = Path(__file__).parents[1]


def sh(code: str, **env: str) -> str:
    """Run code after lib.sh."""
    program = f"set -eu; . scripts/lib.sh; {code}"
    done = subprocess.run(
        ["sh", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **env}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", ["scripts/check", "scripts/test", "scripts/demo", ".ci/run"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert (ROOT / script).read_text().startswith("#!/bin/sh\n")


def test_ci_runs_the_tests() -> None:
    assert "scripts/test" in (ROOT / ".ci" / "run").read_text()


def test_what_a_lab_needs_is_installed() -> None:
    lines = (ROOT / "scripts" / "packages.txt").read_text().splitlines()
    groups = dict(line.split()[:2] for line in lines if not line.startswith("#"))
    needed = {*host.RUN_PROGRAMS.values(), *host.BUILD_PROGRAMS.values(), "debian-archive-keyring"}
    assert needed <= {name for name, group in groups.items() if group in ("all", "lab")}
    assert set(groups.values()) == {"all", "lab", "test", "vagrant"}


def test_missing_packages_are_named(tmp_path: Path) -> None:
    """With a dpkg-query that knows one package only."""
    fake = tmp_path / "dpkg-query"
    fake.write_text(
        "#!/bin/sh\ncase $3 in iproute2) printf installed ;; mount) printf config-files ;; *) exit 1 ;; esac\n"
    )
    fake.chmod(0o755)
    missing = sh("missing_packages lab", PATH=f"{tmp_path}:{os.environ['PATH']}").split()
    assert "iproute2" not in missing
    assert {"mount", "mmdebstrap", "python3-venv"} <= set(missing)
    assert "busybox" not in missing
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\n")
    kubectl.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    assert "kubernetes-client" not in sh("missing_packages test", PATH=path).split()


@pytest.mark.parametrize(
    ("system", "uid", "reason"),
    [("Linux", 0, ""), ("Linux", 1000, "they need root\n"), ("Darwin", 501, "they need Linux, this is Darwin\n")],
)
def test_why_there_is_no_lab(system: str, uid: int, reason: str) -> None:
    assert sh(f"uname() {{ echo {system}; }}; id() {{ echo {uid}; }}; no_lab_because") == reason


def test_a_python_is_found() -> None:
    assert "python" in sh("find_python")


def hints() -> list[str]:
    """What the demo runs, and what it tells the reader to type."""
    text = (ROOT / "scripts" / "demo").read_text()
    return re.findall(r"^(?:    |run |\[.*\] \|\| run )coreops (.+?)(?: {2,}\(.*)?$", text, re.MULTILINE)


@pytest.mark.parametrize("line", hints())
def test_what_the_demo_types_exists(line: str) -> None:
    check_command(line.split())


def test_the_demo_upgrades() -> None:
    first = {line.split()[0] for line in hints()}
    assert first >= {"lab", "bootstrap", "channel", "upgrade", "audit", "rollback", "resume"}
