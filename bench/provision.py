"""`coreops provision` of many EC2 machines against an EC2 on loopback (bench/cloud.py) that answers after 50 ms."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tools
from measure import Cost, run

Row = dict[str, Any]
LATENCY = 0.05
FREE = 1e6
SLOW = 10.0
"""Machines a second that may be made before it refuses: more than any, and fewer than coreops would make."""
RUNS = ((250, FREE), (500, FREE), (1000, FREE), (250, SLOW))
_INVENTORY = """\
all:
  vars:
    provider: ec2
    cluster: bench
    ec2_region: eu-west-1
    ec2_type: t3.small
    ec2_ami: ami-0aaaaaaaaaaaaaaa1
    ec2_ssh_from: [192.0.2.0/24]
    node_ssh_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDhQoFtRgkBMpWNRIiuwK9SN4sKTuXDqTh6gGXUZKPvZ ops@example.net"]
  hosts:
    n[0001:{count:04}]:
"""
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def compare(runs: tuple[tuple[int, float], ...] = RUNS) -> list[Row]:
    """Make them; then the same command again, which makes none."""
    rows: list[Row] = []
    for count, rate in runs:
        folder = Path(tempfile.mkdtemp(prefix="coreops-bench-"))
        try:
            with _cloud(rate) as endpoint:
                rows += _measured(folder, count, rate, endpoint)
        finally:
            shutil.rmtree(folder)
    return rows


def _measured(folder: Path, count: int, rate: float, endpoint: str) -> Iterator[Row]:
    (folder / "hosts.yml").write_text(_INVENTORY.format(count=count))
    command = [str(tools.coreops() / "coreops"), "provision", "hosts.yml"]
    env = {**_ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}
    before = _told(endpoint)
    for what in ("create", "keep") if rate == FREE else ("create",):
        cost = run(command, folder, folder / "log", env)
        now = _told(endpoint)
        if now["machines"] != count:
            raise SystemExit(f"bench: {now['machines']} machines were made, not {count}")
        yield _row(count, rate, what, cost, _since(before, now))
        before = now


def _row(count: int, rate: float, what: str, cost: Cost, calls: dict[str, int]) -> Row:
    refused = calls.pop("refused", 0)
    limit = "" if rate == FREE else f", {rate:.0f} a second"
    shown = ", ".join(f"{number} {name}" for name, number in sorted(calls.items()))
    print(
        f"bench: {what} {count}: {cost.wall:.1f} s, {cost.memory:.0f} MiB; {shown}; {refused} refused", file=sys.stderr
    )
    return {
        "comparison": f"{count} EC2 machines, answers after {LATENCY * 1000:.0f} ms{limit}",
        "tool": f"coreops provision: {what}",
        "wall": cost.wall,
        "cpu": cost.cpu,
        "memory": cost.memory,
        "calls": sum(calls.values()),
        "refused": refused,
        "rounds": 1,
    }


@contextmanager
def _cloud(rate: float) -> Iterator[str]:
    command = [sys.executable, str(tools.HERE / "cloud.py"), str(LATENCY), str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _told(endpoint: str) -> dict[str, Any]:
    with urllib.request.urlopen(endpoint, timeout=10) as answer:
        return dict(json.load(answer))


def _since(before: dict[str, Any], now: dict[str, Any]) -> dict[str, int]:
    return {name: number - before["calls"].get(name, 0) for name, number in now["calls"].items()}
