"""``coreops render``: from an inventory to files, every role and target of the shipped templates."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from coreops.cli._dispatch import dispatch
from tests.cloudconfig.real.programs import cloud_init

GOLDEN = Path(__file__).parents[1] / "cloudconfig" / "golden"
INVENTORY = """\
all:
  vars:
    node_ssh_keys: ["ssh-ed25519 AAAA a@b"]
    node_etcd: true
    node_etcd_token: "0755"
    zone: "off"
    node:
      write_files:
        - {path: /etc/zone, content: "{{ zone }} at $private_ipv4", permissions: "0600"}
  children:
    store:
      hosts:
        n1: {private_ipv4: 192.0.2.1}
        n2: {private_ipv4: 192.0.2.2}
        n3: {ansible_host: "2001:db8::3", private_ipv4: 192.0.2.3}
    rest:
      hosts:
        w1: {private_ipv4: 192.0.2.9, node_time_servers: [time.example.net]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    return tmp_path


def change(here: Path, old: str, new: str) -> None:
    text = (here / "hosts.yml").read_text()
    assert old in text
    (here / "hosts.yml").write_text(text.replace(old, new))


def render(*argv: str) -> int:
    return dispatch(["render", "-i", "hosts.yml", *argv])


def test_one_node_goes_to_stdout(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render("n1") == 0
    found = yaml.safe_load(capsys.readouterr().out)
    assert found["hostname"] == "n1"
    assert found["write_files"][0] == {"path": "/etc/zone", "content": "off at 192.0.2.1", "permissions": "0600"}
    etcd = found["coreos"]["units"][0]
    assert etcd["name"] == "etcd-member.service"
    assert (
        "n1=http://192.0.2.1:2380,n2=http://192.0.2.2:2380,n3=http://192.0.2.3:2380" in etcd["drop_ins"][0]["content"]
    )
    assert "ETCD_INITIAL_CLUSTER_TOKEN=0755" in etcd["drop_ins"][0]["content"]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["coreos", "cloud-init"])
@pytest.mark.parametrize("role", ["member", "single", "worker"])
def test_every_role_and_target_passes(here: Path, role: str, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    change(here, "node_ssh_keys", f"node_role: {role}\n    node_ssh_keys")
    assert render("n1", "-t", target) == 0
    text = capsys.readouterr().out
    assert text == (GOLDEN / f"{role}.{target}.yaml").read_text()
    if target == "cloud-init":
        program = cloud_init().command
        (here / "user-data").write_text(text)
        subprocess.run([program, "schema", "--config-file", "user-data"], check=True, capture_output=True, timeout=60)


def test_a_folder_and_the_same_bytes_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render("-o", "out", "-p", "ec2") == 0
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    index = json.loads(before["index.json"])
    assert (index["target"], index["platform"]) == ("coreos", "ec2")
    assert {name: each["role"] for name, each in index["nodes"].items()} == {
        **dict.fromkeys(["n1", "n2", "n3"], "member"),
        "w1": "worker",
    }
    assert render("-o", "out", "-p", "ec2") == 0
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before
    capsys.readouterr()
    assert render("-o", "out", "-p", "ec2", "--diff") == 0
    assert capsys.readouterr().out == ""
    change(here, 'zone: "off"', 'zone: "on"')
    assert render("-o", "out", "-p", "ec2", "--diff") == 0
    shown = capsys.readouterr().out
    assert "-    content: 'off at 192.0.2.1'" in shown
    assert "+    content: 'on at 192.0.2.1'" in shown
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('zone: "off"', "zone2: x", ["'zone' is not defined", "hosts.yml:9:38"]),
        ("node_ssh_keys", "node_ssh_kezs", ["'node_ssh_keys' is not defined", "/member.yml:6:22", "on host n1"]),
        ("permissions", "permision", ["unknown key write_files[0].permision", "hosts.yml:9:69", "'permissions'"]),
        ('"0600"', "0600", ["must be text, not 384", "hosts.yml:9:82", "quote it"]),
        ("private_ipv4: 192.0.2.1}", "ansible_host: 192.0.2.1}", ["nobody knows $private_ipv4", "hosts.yml:9:38"]),
        ("private_ipv4: 192.0.2.1}", "x: 1}", ["n1 has no address for its etcd", "hosts.yml:4:5", "'n1' is a name"]),
        ("private_ipv4: 192.0.2.1}", "private_ipv4: a}", ["private_ipv4 is not an address", "hosts.yml:13:14"]),
        ("node_etcd: true", "node_role: membr", ["there is no role 'membr'", "did you mean 'member'?"]),
        ("node:\n", "node: 7\n    other:\n", ["node must be a mapping", "hosts.yml:7:5"]),
    ],
)
def test_a_mistake_has_its_place(
    here: Path, old: str, new: str, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    change(here, old, new)
    assert render("-o", "out") == 2
    shown = capsys.readouterr().err
    assert [part for part in said if part not in shown] == [], shown
    assert not Path("out").exists()


def test_a_host_that_calls_itself_otherwise(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(here, "n2: {", "n_2: {node_hostname: two, ")
    assert render("w1") == 0
    assert "192.0.2.2 two\n" in capsys.readouterr().out
    change(here, "n3: {", "n3: {node_hostname: three, ")
    assert render("n_2") == 0
    shown = capsys.readouterr().out
    assert "hostname: two\n" in shown
    assert "192.0.2.3 three n3\n" in shown
    assert "n_2=http://192.0.2.2:2380" in shown


def test_losses_are_refused_or_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(here, "    node:\n", "    node:\n      coreos: {locksmith: {window_start: '04:00', window_length: 1h}}\n")
    assert render("w1") == 0
    assert render("w1", "-t", "cloud-init") == 2
    assert "lost: coreos.locksmith.window_start (hosts.yml:8:28) -- " in capsys.readouterr().err
    assert render("w1", "-t", "cloud-init", "--allow-loss") == 0
    shown = capsys.readouterr()
    assert "w1: lost: coreos.locksmith.window_start -- " in shown.err
    assert "locksmith" not in shown.out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["-t", "clod-init", "n1"], "did you mean 'cloud-init'?"),
        (["-p", "ec3", "n1"], "did you mean 'ec2'?"),
        (["n1", "w1"], "2 nodes do not fit on stdout"),
        (["n9"], "n9"),
        (["n1", "--diff"], "name its folder with -o"),
        (["n1", "--templates", "none"], "no such folder of templates"),
        (["n1", "-o", "hosts.yml"], "not a folder"),
        (["n1", "-o", "."], "not a render"),
    ],
)
def test_bad_usage(here: Path, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(*argv) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["hosts.yml"]


def test_user_data_that_is_too_large(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import random

    noise = random.Random(1).randbytes(20000).hex()
    change(
        here,
        "    node:\n      write_files:\n",
        f"    node:\n      write_files:\n        - {{path: /big, content: {noise}}}\n",
    )
    assert render("w1", "-p", "ec2") == 2
    shown = capsys.readouterr().err
    assert re.search(r"host w1: (\d+) bytes too many for ec2: \d+, and it takes 16384", shown), shown
    assert "measured compressed" in shown
    assert "/big (40000)" in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nhostname: {{ x }}\n", ["worker.yml:2:12", 'quote a template: "{{ value }}"']),
        ('\nhostname: "{{ x y }}"\n', ["worker.yml:2:11: the template cannot be parsed"]),
        ('\nhostname: "{{ x | uper }}"\n', ["worker.yml:2:11", "did you mean 'upper'?"]),
        ("- hostname\n", ["worker.yml:1:1: a template must be a mapping"]),
        ("a: [\n", ["worker.yml", "not valid YAML"]),
        ("hostname: \udc80\n", ["worker.yml:1:11: not UTF-8", "the byte 0x80"]),
    ],
)
def test_a_template_that_is_none(here: Path, text: str, said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("own").mkdir()
    Path("own/worker.yml").write_text(text, errors="surrogateescape")
    assert render("w1", "--templates", "own") == 2
    shown = capsys.readouterr().err
    assert [part for part in said if part not in shown] == [], shown


def test_hostile_addresses_are_quoted_for_the_shell(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(here, 'n3: {ansible_host: "2001:db8::3", private_ipv4: 192.0.2.3}', 'n3: {ansible_host: "a\'$(id)"}')
    assert render("w1") == 0
    script = yaml.safe_load(capsys.readouterr().out)["write_files"][0]["content"]
    done = subprocess.run(
        ["sh", "-c", script + 'printf %s "$ETCDCTL_ENDPOINTS"'], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith(",http://a'$(id):2379")


def test_templates_of_your_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["render", "--init", "templates/cloud-config"]) == 0
    assert capsys.readouterr().out.split() == [
        f"templates/cloud-config/{name}.yml"
        for name in (
            "member",
            *(f"platforms/{name}" for name in ("azure", "ec2", "gce", "vagrant")),
            "single",
            "worker",
        )
    ]
    Path("templates/cloud-config/worker.yml").write_text('hostname: "own-{{ inventory_hostname }}"\n')
    assert render("w1") == 0
    assert "hostname: own-w1\n" in capsys.readouterr().out
    assert dispatch(["render", "--init", "templates/cloud-config"]) == 2


@pytest.mark.parametrize("target", ["coreos", "cloud-init", "ignition"])
@pytest.mark.parametrize("role", ["member", "single", "worker"])
def test_machines_tell_who_they_are(here: Path, role: str, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    url = "http://192.0.2.1:8087/hello/0123"
    change(here, "node_ssh_keys", f"node_role: {role}\n    node_hello: {url}\n    node_ssh_keys")
    assert render("n1", "-t", target) == 0
    text = capsys.readouterr().out
    assert "/etc/zone" in text
    assert "/etc/coreops/hello.url" in text
    assert "coreops-hello.service" in text
    if target == "coreos":
        files = {each["path"]: each for each in yaml.safe_load(text)["write_files"]}
        assert files["/etc/coreops/hello.url"]["content"] == f'url = "{url}"\n'
        subprocess.run(["sh", "-nc", files["/etc/coreops/hello"]["content"]], check=True)
