"""``coreops render``: the other targets, packages, the index for machines, secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from coreops.cli._dispatch import dispatch

INVENTORY = """\
all:
  vars:
    node_ssh_keys: ["ssh-ed25519 AAAA a@b"]
    node_time_servers: [time.example.net]
  hosts:
    n1: {private_ipv4: 192.0.2.1}
    n2: {private_ipv4: 192.0.2.2}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    return tmp_path


def render(*argv: str) -> int:
    return dispatch(["render", "-i", "hosts.yml", *argv])


def say(here: Path, text: str) -> None:
    """Let the inventory say more of every node."""
    more = "".join(f"      {line}\n" for line in text.splitlines())
    (here / "hosts.yml").write_text(INVENTORY.replace("  hosts:\n", f"    node:\n{more}  hosts:\n"))


@pytest.mark.parametrize("spec", [None, "3.3.0", "3.4.0"])
def test_ignition_and_butane(here: Path, spec: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--spec", spec] if spec else []
    assert render("n1", "-t", "ignition", *flags) == 0
    assert json.loads(capsys.readouterr().out)["ignition"]["version"] == (spec or "3.3.0")
    assert render("n1", "-t", "butane", *flags) == 0
    found = yaml.safe_load(capsys.readouterr().out)
    assert (found["variant"], found["version"]) == ("flatcar", "1.1.0" if spec == "3.4.0" else "1.0.0")
    for target, name in (("ignition", "n1.ign"), ("butane", "n1.bu")):
        assert render("n1", "-t", target, "-o", "out", *flags) == 0
        assert sorted(path.name for path in Path("out").iterdir()) == ["index.json", name]
        assert json.loads(Path("out/index.json").read_text())["spec"] == (spec or "3.3.0")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["n1", "--spec", "3.3.0"], "the target coreos has no spec"),
        (["n1", "-t", "ignition", "--spec", "3.5.0"], "specs of Ignition: 3.3.0, 3.4.0"),
        (["n1", "--as", "iso"], "name a folder for them with -o DIR"),
        (["n1", "-o", "out", "--as", "isoo"], "did you mean 'iso'?"),
        (["n1", "-o", "out", "--as", "fw_cfg"], "--as fw_cfg is not for the target coreos"),
        (["n1", "-o", "out", "--url", "http://a/"], "--url without a form to pack"),
        (["n1", "-o", "out", "--as", "ipxe", "--initrd", "a"], "--initrd and --append go with a kernel"),
        (["n1", "-o", "out", "--as", "mime", "--part", "none"], "none: cannot be read"),
        (["n1", "-o", "out", "--as", "mime", "--part", "/dev/zero"], "/dev/zero: larger than 10000000 bytes"),
        (["n1", "n3"], "no host or group is named 'n3'"),
    ],
)
def test_bad_usage(here: Path, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(*argv) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["hosts.yml"]


def test_the_index_for_machines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--json") == 0
    index = json.loads(capsys.readouterr().out)
    assert {name: each["file"] for name, each in index["nodes"].items()} == {"n1": "n1.yaml", "n2": "n2.yaml"}
    assert render("--json", "-o", "out") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path("out/index.json").read_text()) == index


def test_packages_beside_the_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("more.sh").write_text("#!/bin/sh\necho hello\n")
    assert render("-o", "out", "-t", "cloud-init", "--as", "mime", "--part", "more.sh") == 0
    index = json.loads(Path("out/index.json").read_text())
    assert index["form"] == "mime"
    (packed,) = index["nodes"]["n1"]["packed"]
    assert b"echo hello" in Path("out", packed).read_bytes()
    assert len(list(Path("out").iterdir())) == 5
    capsys.readouterr()
    assert render("-o", "out", "-t", "cloud-init", "--as", "mime", "--part", "more.sh", "--diff") == 0
    assert capsys.readouterr().out == ""
    assert render("-o", "out") == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["index.json", "n1.yaml", "n2.yaml"]


def test_a_secret_in_a_part(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("more.sh").write_text("#!/bin/sh\nDB_PASSWORD=hunter2\n")
    flags = ["-o", "out", "-t", "cloud-init", "--as", "mime", "--part", "more.sh"]
    assert render(*flags) == 2
    shown = capsys.readouterr().err
    assert "more.sh: there is a secret in more.sh: value of DB_PASSWORD" in shown
    assert "hunter2" not in shown
    assert render(*flags, "--allow-secrets") == 0
    index = json.loads(Path("out/index.json").read_text())
    assert index["nodes"]["n2"]["secrets"] == ["more.sh (value of DB_PASSWORD)"]


def test_a_boot_script(here: Path) -> None:
    flags = ["--url", "http://192.0.2.9/", "--kernel", "http://192.0.2.9/vmlinuz", "--append", "console=ttyS0"]
    assert render("n1", "-o", "out", "-t", "ignition", "-p", "ipxe", "--as", "ipxe", *flags) == 0
    script = Path("out/n1.ipxe").read_text()
    assert "kernel http://192.0.2.9/vmlinuz " in script
    assert "ignition.config.url=http://192.0.2.9/n1.ign console=ttyS0\n" in script


def test_a_platform_says_more(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (here / "hosts.yml").read_text()
    (here / "hosts.yml").write_text(text.replace("    node_time_servers: [time.example.net]\n", ""))
    assert render("n1") == 0
    assert "timesyncd" not in capsys.readouterr().out
    assert render("n1", "-p", "ec2") == 0
    assert "NTP=169.254.169.123\n" in capsys.readouterr().out
    say(here, "coreos: {flannel: {etcd_prefix: /net}}")
    assert render("n1", "-p", "vagrant") == 0
    found = yaml.safe_load(capsys.readouterr().out)
    assert found["coreos"]["flannel"] == {"etcd_prefix": "/net", "interface": "192.0.2.1"}
    say(here, "coreos: {flannel: {interface: eth7}}")
    assert render("n1", "-p", "vagrant") == 0
    assert yaml.safe_load(capsys.readouterr().out)["coreos"]["flannel"] == {"interface": "eth7"}


def test_azure_gives_etcd_more_time(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extra = "    node_etcd: true\n    node_etcd_token: a\n  children: {store: {hosts: {n1: {}}}}\n  hosts:\n"
    (here / "hosts.yml").write_text(INVENTORY.replace("  hosts:\n", extra))
    assert render("n1", "-p", "azure") == 0
    assert "ETCD_HEARTBEAT_INTERVAL=500" in capsys.readouterr().out
    assert render("n2", "-p", "azure") == 0
    assert "ETCD_" not in capsys.readouterr().out.replace("ETCDCTL", "")


def test_a_mistake_in_a_platforms_template(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["render", "--init", "own"]) == 0
    Path("own/platforms/qemu.yml").write_text('hostname: n\ntime:\n  zone: "{{ zone }}"\n')
    assert render("n1", "--templates", "own", "-p", "ec2") == 0
    capsys.readouterr()
    assert render("n1", "--templates", "own", "-p", "qemu") == 2
    shown = capsys.readouterr().err
    assert "own/platforms/qemu.yml:3:9: variable 'zone' is not defined" in shown
    assert "on host n1" in shown


def test_secrets_are_refused_or_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say(here, 'write_files: [{path: /etc/a, content: "DB_PASSWORD=hunter2"}]\nusers: [{name: ann, passwd: $6$a$b}]')
    assert render("-o", "out", "-p", "ec2") == 2
    shown = capsys.readouterr().err
    assert "hosts.yml:6:45: there is a secret in write_files[/etc/a].content: value of DB_PASSWORD (host n1)" in shown
    assert "hunter2" not in shown
    assert not Path("out").exists()
    assert render("-o", "out", "-p", "ec2", "--allow-secrets") == 0
    shown = capsys.readouterr().err
    assert "warning: 2 secrets in the user-data of n1, n2; on ec2 it can be read by every process" in shown
    assert "warning: password hashes in the user-data of n1, n2" in shown
    index = json.loads(Path("out/index.json").read_text())
    assert index["nodes"]["n1"]["secrets"] == ["write_files[/etc/a].content (value of DB_PASSWORD)"]


def test_what_opens_a_host_does_not_go_into_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say(here, 'write_files: [{path: /etc/a, content: "{{ ansible_become_pass }}"}]')
    text = (here / "hosts.yml").read_text()
    (here / "hosts.yml").write_text(text.replace("  vars:\n", "  vars:\n    ansible_become_pass: swordfish\n"))
    assert render("n1") == 2
    shown = capsys.readouterr().err
    assert "the value of ansible_become_pass" in shown
    assert "swordfish" not in shown


@pytest.mark.parametrize("which", ["inventory", "template"])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"all:\n  hosts:\n    n1: {a: [\n", ":3:14: not valid YAML"),
        (b'a: "\xe9"\n', ":1:5: not UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ""),
        (b"\xff\xfea\0l\0l\0", "not UTF-8"),
        (b"- a\n", ":1:1: "),
        (b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(ord("a"), ord("i"))
        ), ""),
        (b"[" * 5000, "nested deeper than"),
        (b"a" * 10_000_001, ""),
    ],
    ids=["syntax", "latin-1", "binary", "utf-16", "list", "bomb", "deep", "large"],
)  # fmt: skip
def test_files_that_are_no_such_thing(
    here: Path, which: str, data: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("own").mkdir()
    bad = Path("hosts.yml") if which == "inventory" else Path("own/worker.yml")
    bad.write_bytes(data)
    assert render("n1", "--templates", "own", "-o", "out") == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"coreops: {bad}"), shown
    assert said in shown
    assert "Traceback" not in shown
    assert not Path("out").exists()


@pytest.mark.parametrize("what", ["folder", "missing", "unreadable"])
def test_a_template_that_cannot_be_read(here: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("own").mkdir()
    path = Path("own/worker.yml")
    if what == "folder":
        path.mkdir()
    elif what == "unreadable":
        path.symlink_to("worker.yml")
    assert render("n1", "--templates", "own") == 2
    assert capsys.readouterr().err.startswith(f"coreops: {path}: ")
