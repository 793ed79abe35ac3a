"""Machines are looked up when an inventory says so, and not more often than it says; Ansible sees the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.inventory import lookups
from tests.providers.command.rig import install

LOOKUP = """\
provider: command
command_program: ../cloud.py
cluster: prod
host_keys: true
groups: {store: {tag:role: store}}
group_by: [state]
"""
HOSTS = """\
all:
  vars: {ansible_user: core, ansible_become_password: "s3cret"}
  hosts: {metal: {ansible_host: 192.0.2.99}}
"""
FILE = "machines.coreops.yml"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COREOPS_INVENTORY", raising=False)
    install(tmp_path)
    (tmp_path / "cloud").mkdir()
    (tmp_path / "inv").mkdir()
    (tmp_path / "inv" / FILE).write_text(LOOKUP)
    (tmp_path / "inv" / "hosts.yml").write_text(HOSTS)
    machine(tmp_path, "n1", 1)
    return tmp_path


def machine(here: Path, node: str, number: int) -> None:
    from coreops.providers.protocol import mark

    told = {
        "node": node,
        "mark": mark("prod", node),
        "id": f"i-{number}",
        "state": "running",
        "addresses": {"private_ipv4": f"192.0.2.{number}"},
        "facts": {"tag:role": "store", "region": "eu"},
    }
    (here / "cloud" / f"{told['mark']}.json").write_text(json.dumps(told))


def listed(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    capsys.readouterr()
    assert dispatch(["inventory", "list", "-i", "inv", *options]) == 0
    return capsys.readouterr().out.split()


def age(here: Path, seconds: float) -> None:
    (lookup,) = lookups(here / "inv")
    kept = json.loads(lookup.answer.read_text())
    lookup.answer.write_text(json.dumps({**kept, "at": time.time() - seconds}))


def test_an_answer_is_good_for_a_while(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys) == ["metal", "n1"]
    machine(here, "n2", 2)
    assert listed(capsys) == ["metal", "n1"]
    age(here, 301)
    assert listed(capsys) == ["metal", "n1", "n2"]
    machine(here, "n3", 3)
    assert listed(capsys, "--refresh") == ["metal", "n1", "n2", "n3"]
    age(here, -1000)
    machine(here, "n4", 4)
    assert len(listed(capsys)) == 5, "an answer from the future is none"


def test_host_keys_follow_the_machines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = here / "inv" / "known_hosts"
    known.write_text("# mine\n")
    machine(here, "n2", 2)
    listed(capsys)
    before = known.read_text()
    assert [line.split()[0] for line in before.splitlines()] == ["#", "192.0.2.1", "192.0.2.2"]
    (here / "cloud" / "faults").write_text(json.dumps({"no keys": True}))
    listed(capsys, "--refresh")
    assert known.read_text() == before, "a machine that is known is not asked again"
    machine(here, "n1", 7)
    listed(capsys, "--refresh")
    assert [line.split()[0] for line in known.read_text().splitlines()] == ["#", "192.0.2.2"]


def test_a_cloud_that_does_not_answer(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed(capsys)
    age(here, 301)
    (here / "cloud.py").write_text(f"#!{sys.executable} -S\nprint('no')\n")
    assert dispatch(["inventory", "list", "-i", "inv"]) == 1
    assert "or go on with what was found 301 s ago: a larger ttl in inv/machines.coreops.yml" in capsys.readouterr().err
    path = here / "inv" / FILE
    path.write_text(path.read_text() + "ttl: 3600\n")
    assert listed(capsys) == ["metal", "n1"]


def test_bad_files_ask_nobody(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for old, new, said in (
        ("provider: command\ncommand_program: ../cloud.py", "provider: comand", "there is no provider 'comand'"),
        ("cluster: prod", "tags: {a: b}", "provider command cannot find machines by tags"),
    ):
        (here / "inv" / FILE).write_text(LOOKUP.replace(old, new))
        assert dispatch(["inventory", "list", "-i", "inv"]) == 2
        assert said in capsys.readouterr().err


def test_other_commands_look_up_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["plan", "inv", "--no-connect"]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [["keep", "metal"], ["keep", "n1"]]
    assert dispatch(["exec", "n9", "true", "-i", "inv"]) == 2


def test_the_script_protocol(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["inventory", "script", "--list", "-i", "inv"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["store"] == {"hosts": ["n1"], "children": []}
    assert told["_meta"]["hostvars"]["n1"]["ansible_host"] == "192.0.2.1"
    assert told["_meta"]["hostvars"]["metal"] == {"ansible_host": "192.0.2.99", "ansible_user": "core"}
    assert dispatch(["inventory", "script", "--host", "n1", "-i", "inv"]) == 0
    assert json.loads(capsys.readouterr().out) == told["_meta"]["hostvars"]["n1"]
    assert dispatch(["inventory", "script", "-i", "inv"]) == 2
    assert dispatch(["inventory", "script", "--list", "--host", "n1", "-i", "inv"]) == 2
    assert dispatch(["inventory", "script", "--host", "n9", "-i", "inv"]) == 2


@pytest.fixture(scope="session")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> str:
    """ansible-inventory: of the PATH, of $COREOPS_ANSIBLE (a bin folder), or from PyPI for this run."""
    program = shutil.which("ansible-inventory") or shutil.which("ansible-inventory", path=os.getenv("COREOPS_ANSIBLE"))
    if program is None:
        folder = tmp_path_factory.mktemp("ansible")
        # With our own pip: to install another one there, and to compile all of Ansible, takes longer than all the rest.
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        asked = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--no-compile"]
        asked += ["--quiet", "--disable-pip-version-check", "ansible-core"]
        try:
            done = subprocess.run(asked, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip("ansible-core cannot be installed within 300 s")
        if done.returncode != 0:
            pytest.skip(f"ansible-core cannot be installed: {done.stderr[-200:]}")
        program = str(folder / "bin" / "ansible-inventory")
    return program


@pytest.mark.slow
def test_ansible_sees_the_same(here: Path, ansible: str) -> None:
    script = here / "coreops.sh"
    coreops = Path(sys.executable).with_name("coreops")
    script.write_text(f'#!/bin/sh\nexec {coreops} inventory script -i {here}/inv "$@"\n')
    script.chmod(0o755)
    env = {**os.environ, "ANSIBLE_HOME": str(here / "ansible"), "ANSIBLE_LOCALHOST_WARNING": "false"}
    asked = [ansible, "-i", str(script), "--list"]
    shown = subprocess.run(asked, env=env, cwd=here, capture_output=True, text=True, timeout=120, check=False)
    assert shown.returncode == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert told["store"] == {"hosts": ["n1"]}
    assert sorted(told["all"]["children"]) == ["state_running", "store", "ungrouped"]
    assert told["_meta"]["hostvars"]["n1"]["machine"]["tags"] == {"role": "store"}
    assert told["ungrouped"] == {"hosts": ["metal"]}
