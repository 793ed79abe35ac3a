"""The programs that ask on real machines: Ignition, cloud-init's NoCloud."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cloudconfig.real.programs import cloud_init
from tests.delivery.serving.machine import MAC, Running, running, site

IGNITION = Path("/usr/lib/dracut/modules.d/30ignition/ignition")
CONFIG = {
    "ignition": {"version": "3.3.0"},
    "storage": {"files": [{"path": "/etc/n1", "contents": {"source": "data:,x"}}]},
}
N1 = MAC.format(1)


def test_ignition_fetches_its_config_once(tmp_path: Path) -> None:
    if not IGNITION.exists():
        pytest.skip("ignition is not installed (apt-get install ignition)")
    with running(site({"n1": json.dumps(CONFIG).encode()}, ("n1",), "ignition"), tmp_path) as one:
        done = ignition(tmp_path, one, "a")
        assert done.returncode == 0, done.stdout
        assert b'"path":"/etc/n1"' in (tmp_path / "a").read_bytes()
        assert one.settled("n1") == "served"
        again = ignition(tmp_path, one, "b")
        assert again.returncode != 0
        assert b"Gone" in again.stdout
        one.tickets.issue("n1")
        assert ignition(tmp_path, one, "c").returncode == 0


def ignition(folder: Path, one: Running, cache: str) -> subprocess.CompletedProcess[bytes]:
    source = f"http://127.0.0.1:{one.port}/ignition?mac={N1.upper()}"
    (folder / "config.json").write_text(
        json.dumps({"ignition": {"version": "3.3.0", "config": {"replace": {"source": source}}}})
    )
    argv = [str(IGNITION), "-platform", "file", "-stage", "fetch", "-root", str(folder), "-config-cache"]
    argv += [
        str(folder / cache),
        "-neednet",
        str(folder / f"{cache}.net"),
        "-state-file",
        str(folder / f"{cache}.state"),
    ]
    return subprocess.run(
        [*argv, "-log-to-stdout"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"IGNITION_CONFIG_FILE": str(folder / "config.json"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        timeout=30,
    )


CODE = """
import json, sys
from cloudinit.util import read_seeded
meta, user, vendor = read_seeded(sys.argv[1], retries=0)
print(json.dumps([meta, user.decode(), vendor.decode()]))
"""


def test_cloud_init_reads_a_seed(tmp_path: Path) -> None:
    program = cloud_init()
    body = "#cloud-config\nhostname: n1\n"
    with running(site({"n1": body.encode()}, ("n1",), "cloud-init"), tmp_path) as one:
        token = one.tickets.issue("n1")
        for way in (f"token/{token}/", f"mac/{N1}/"):
            one.tickets.end(one.tickets.begin("n1", "x", 0), "not sent")  # type: ignore[arg-type]
            done = subprocess.run(
                [program.python, "-c", CODE, f"http://127.0.0.1:{one.port}/{way}"],
                env=program.env,
                capture_output=True,
                timeout=60,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            meta, user, vendor = json.loads(done.stdout)
            assert (meta["local-hostname"], user, vendor) == ("n1", body, "")
            assert one.settled("n1") == "served"
            one.tickets.issue("n1")
