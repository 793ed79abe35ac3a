"""``coreops provision``, ``plan``, ``destroy`` and ``console``, with a cloud of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.inventory import load_inventory, target
from tests.providers.command.rig import install

INVENTORY = """\
all:
  vars:
    cluster: prod
    provider: command
    command_program: ../cloud.py
    command_size: small
    node_ssh_keys: ["ssh-ed25519 AAAA a@b"]
  hosts:
    n1:
    n2:
    n3: {ansible_host: n3.example.net}
    metal: {provider: static}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COREOPS_INVENTORY", raising=False)
    install(tmp_path)
    (tmp_path / "cloud").mkdir()
    (tmp_path / "inv").mkdir()
    (tmp_path / "inv" / "hosts.yml").write_text(INVENTORY)
    return tmp_path


def machines(here: Path) -> dict[str, dict[str, str]]:
    return {each["node"]: each for each in map(json.loads, (p.read_text() for p in (here / "cloud").glob("*.json")))}


def change(here: Path, old: str, new: str) -> None:
    path = here / "inv" / "hosts.yml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def faults(here: Path, **told: object) -> None:
    (here / "cloud" / "faults").write_text(json.dumps(told))


def rows(text: str) -> list[list[str]]:
    return [line.split()[:2] for line in text.splitlines()]


def test_check_makes_nothing_and_prints_every_call(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["provision", "inv", "--check"]) == 0
    shown = capsys.readouterr()
    assert shown.err == "machines: 3 to create (3 x command small), 1 to keep\n"
    assert shown.out.count("    cloud.py create n") == 3
    assert machines(here) == {}
    assert sorted(path.name for path in (here / "inv").iterdir()) == ["hosts.yml"]


def test_provision_then_the_next_command_can_connect(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["provision", "inv"]) == 0
    shown = capsys.readouterr()
    assert rows(shown.out) == [["created", "n1"], ["created", "n2"], ["created", "n3"], ["kept", "metal"]]
    assert "n1: made i-" in shown.err
    assert machines(here)["n1"]["told"].startswith("#cloud-config")
    inventory = load_inventory(here / "inv")
    assert target(inventory, "n1").address == machines(here)["n1"]["addresses"]["private_ipv4"]  # type: ignore[index]
    assert target(inventory, "n3").address == "n3.example.net"
    known = (here / "inv" / "known_hosts").read_text()
    assert len(known.splitlines()) == 3
    assert "\nn3.example.net,192.0.2." in f"\n{known}"

    assert dispatch(["provision", "inv"]) == 0
    assert [state for state, _ in rows(capsys.readouterr().out)] == ["kept"] * 4
    assert len(machines(here)) == 3


def test_a_failure_is_told_and_a_second_run_finishes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faults(here, refuse="your 'limit' is 1", **{"not": ["n2"]})
    assert dispatch(["provision", "inv", "--limit", "n1,n2"]) == 1
    shown = capsys.readouterr()
    assert rows(shown.out) == [["failed", "n1"], ["created", "n2"]]
    assert "coreops: n1: cloud.py refused `create`\n  why: your 'limit' is 1\n  next: ask the cloud" in shown.err
    faults(here)
    assert dispatch(["provision", "inv", "--limit", "n1,n2", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["event"], each["node"], each["state"]) for each in told] == [
        ("machine", "n1", "created"),
        ("machine", "n2", "kept"),
    ]
    assert machines(here).keys() == {"n1", "n2"}


def test_a_killed_create_leaves_no_orphan(here: Path) -> None:
    faults(here, lose=1)
    assert dispatch(["provision", "inv", "--limit", "n1"]) == 1
    assert machines(here).keys() == {"n1"}
    assert dispatch(["provision", "inv", "--limit", "n1"]) == 0
    assert machines(here).keys() == {"n1"}


def test_host_keys_that_are_not_known_are_a_failure(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faults(here, **{"no keys": True})
    assert dispatch(["provision", "inv", "--limit", "n1", "--wait", "0"]) == 1
    assert "its host key is not known" in capsys.readouterr().err


def test_user_data_does_not_change_when_addresses_become_known(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = "{{ private_ipv4 | default('none') }}"
    change(here, "  hosts:", f'    node: {{write_files: [{{path: /etc/address, content: "{content}"}}]}}\n  hosts:')
    assert dispatch(["provision", "inv"]) == 0
    capsys.readouterr()
    assert dispatch(["plan", "inv", "--no-connect"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == ["keep  n1", "keep  n2", "keep  n3"]


def test_plan_shows_drift(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["provision", "inv"]) == 0
    [path] = [path for path in (here / "cloud").glob("*.json") if json.loads(path.read_text())["node"] == "n1"]
    path.unlink()
    change(here, "    n3: {ansible_host: n3.example.net}\n", "")
    change(here, "size: small", "size: large")
    capsys.readouterr()
    assert dispatch(["plan", "inv", "--no-connect"]) == 0
    shown = capsys.readouterr()
    assert rows(shown.out) == [["create", "n1"], ["replace", "n2"], ["remove", "n3"], ["keep", "metal"]]
    assert "size is small, wanted large" in shown.out
    assert dispatch(["plan", "inv", "--limit", "n2", "--json"]) == 0
    [told] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (told["node"], told["action"], told["provider"], told["cluster"]) == ("n2", "replace", "command", "prod")
    assert dispatch(["destroy", "inv", "--removed", "--yes", "1"]) == 0
    assert machines(here).keys() == {"n2"}


def test_destroy_asks_and_takes_only_ours(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["provision", "inv"]) == 0
    change(here, "cluster: prod", "cluster: other")
    assert dispatch(["provision", "inv", "--limit", "n1"]) == 0
    capsys.readouterr()
    for argv in ([], ["--yes", "2"], ["--yes", "4"]):
        assert dispatch(["destroy", "inv", *argv]) == 4
    shown = capsys.readouterr().err
    assert "nothing was destroyed" in shown
    assert "n1  i-4-" in shown
    assert dispatch(["destroy", "inv", "--yes", "1"]) == 0
    assert rows(capsys.readouterr().out) == [["destroyed", "n1"]]
    assert dispatch(["destroy", "inv"]) == 0
    change(here, "cluster: other", "cluster: prod")
    assert dispatch(["destroy", "inv", "--limit", "n1:n2", "--yes", "2"]) == 0
    assert machines(here).keys() == {"n3"}
    faults(here, keep="it is protected")
    capsys.readouterr()
    assert dispatch(["destroy", "inv", "--yes", "1"]) == 1
    assert "why: it is protected" in capsys.readouterr().err


def test_console(here: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert dispatch(["provision", "inv"]) == 0
    capfdbinary.readouterr()
    assert dispatch(["console", "n1", "-i", "inv"]) == 0
    assert capfdbinary.readouterr().out == b"booting n1\nlogin: \n"
    assert dispatch(["console", "n9", "-i", "inv"]) == 2
    assert dispatch(["console", "metal", "-i", "inv"]) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("provider: command", "provider: comand", "inv/hosts.yml:4:5: there is no provider 'comand'"),
        ("cluster: prod", "cluster: 'a b'", "inv/hosts.yml:3:5: 'a b' cannot be the name of a cluster"),
        ("cluster: prod", "cluster: 7", "7 cannot be the name of a cluster"),
        ("cluster: prod", "zone: a", "no `cluster` is set"),
        ("../cloud.py", "../none.py", "inv/hosts.yml:4:5: the provider's program is not there"),
        ("size: small", "size: '{{ nope }}'", "inv/hosts.yml:6:5"),
        ("size: small", "platform: ec3", "ec3"),
        ("size: small", "target: cloudinit", "there is no target 'cloudinit'"),
        ("n1:\n", "n1: {node: {bogus: 1}}\n", "bogus"),
    ],
)
def test_bad_input_touches_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    change(here, old, new)
    assert dispatch(["provision", "inv"]) == 2
    assert said in capsys.readouterr().err
    assert machines(here) == {}


def test_flags_that_make_no_sense(here: Path) -> None:
    assert dispatch(["destroy", "inv", "--removed", "--limit", "n1"]) == 2
    assert dispatch(["provision", "inv", "--limit", "n1:!n1"]) == 2
    assert dispatch(["provision", "nowhere"]) == 2
    assert dispatch(["provision", "inv", "--forks", "0"]) == 2


def test_a_host_that_is_no_longer_made_leaves_its_machine_to_be_removed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["provision", "inv"]) == 0
    change(here, "    n1:\n", "    n1: {provider: static}\n")
    capsys.readouterr()
    assert dispatch(["plan", "inv", "--no-connect", "--limit", "n1"]) == 0
    assert sorted(rows(capsys.readouterr().out)) == [["keep", "n1"], ["remove", "n1"]]
    assert dispatch(["destroy", "inv", "--removed", "--yes", "1"]) == 0
    assert machines(here).keys() == {"n2", "n3"}
    change(here, "cluster: prod", "cluster: other")
    assert dispatch(["plan", "inv", "--no-connect"]) == 0
    assert "warning: n2: command made i-" in capsys.readouterr().err
