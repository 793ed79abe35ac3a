"""From an inventory of machines that do not exist to an etcd cluster: provision, bootstrap, destroy."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.providers.namespace.lab import Lab, names_of_labs
from tests.support import warm

pytestmark = pytest.mark.lab

INVENTORY = """\
all:
  vars:
    cluster: born
    provider: command
    command_program: ../cloud.py
    ansible_user: core
    ansible_become: true
    ansible_ssh_private_key_file: ../lab/id_ed25519
    node_ssh_keys: ["ssh-ed25519 AAAA a@b"]
  children:
    store:
      hosts:
        n[1:3]:
"""


@pytest.fixture
def here(lab_host: None, tmp_path: Path) -> Iterator[Path]:
    name = f"p{os.getpid()}"
    (tmp_path / "lab.json").write_text(json.dumps({"name": name}))
    text = Path(__file__).with_name("cloud.py").read_text()
    (tmp_path / "cloud.py").write_text(text.replace("#!/usr/bin/env python3", f"#!{sys.executable}"))
    (tmp_path / "cloud.py").chmod(0o755)
    (tmp_path / "inv").mkdir()
    (tmp_path / "inv" / "hosts.yml").write_text(INVENTORY)
    try:
        yield tmp_path
    finally:
        Lab.down(name)


def coreops(here: Path, *argv: str) -> str:
    done = warm.run([sys.executable, "-c", warm.MAIN, *argv], timeout=400, cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_nothing_to_etcd_and_back(here: Path) -> None:
    assert "create  n3" in coreops(here, "provision", "inv", "--check")
    made = coreops(here, "provision", "inv")
    assert [line.split()[:2] for line in made.splitlines()] == [["created", f"n{number}"] for number in (1, 2, 3)]
    assert "etcd 3." in coreops(here, "bootstrap", "inv")
    assert "created" not in coreops(here, "provision", "inv")
    coreops(here, "destroy", "inv", "--yes", "3")
    assert f"p{os.getpid()}" not in names_of_labs()
    assert (here / "inv" / "known_hosts").read_text() == ""
