"""Both text targets: what is written, what is lost, and what the real cloud-init thinks of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.model import Node
from coreops.cloudconfig.model.file import File
from coreops.cloudconfig.targets import TARGETS
from coreops.cloudconfig.targets.cloud_init import render as cloud_init
from coreops.cloudconfig.targets.coreos import render as coreos
from coreops.errors import InputError
from tests.cloudconfig.real import programs
from tests.cloudconfig.support import node

EVERYTHING = """
hostname: n1.example.net
ssh_authorized_keys: ["ssh-ed25519 AAAA a@b"]
manage_etc_hosts: localhost
users:
  - {name: ann, passwd: "$6$a$b", groups: [sudo, docker], shell: /bin/bash, gecos: "Ann - #1", system: true}
  - {name: bob, coreos_ssh_import_github: bob, homedir: /home/b, no_create_home: true, primary_group: users}
write_files:
  - {path: /etc/motd, content: "off\\n", permissions: "0644", owner: "ann:docker"}
  - {path: /etc/b, content: aGVsbG8=, encoding: b64}
environment: {HTTP_PROXY: "http://p:3128", GREETING: "it is $HOME"}
etc_hosts: {192.0.2.1: [a, b], "2001:db8::1": [c]}
time: {servers: [a.example.net, b.example.net], zone: Europe/Berlin}
coreos:
  etcd_member: {name: n1, heartbeat_interval: 100, client_cert_auth: true, initial_cluster_token: 'a "b" 5%'}
  docker: {flags: [--log-driver=journald, --iptables=false]}
  update: {reboot_strategy: "off"}
  units:
    - {name: etcd-member.service, command: start, drop_ins: [{name: 10-a.conf, content: "[Service]\\nA=b\\n"}]}
    - {name: a.service, enable: true, content: "[Service]\\nType=oneshot\\n[Install]\\nWantedBy=a.target\\n"}
    - {name: b.service, mask: true}
    - {name: 00-eth.network, content: "[Match]\\nName=eth0\\n"}
"""
OLD = """
coreos:
  etcd: {name: a}
  etcd2: {ca_file: /ca, name: n1}
  fleet: {metadata: "a=b", verify-units: false}
  flannel: {interface: eth1}
  locksmith: {window_start: "Sun 04:00", window_length: 1h}
  update: {group: stable, reboot_strategy: etcd-lock}
  oem: {id: x}
  units: [{name: a.service, runtime: true, content: "[Service]\\n"}]
users: [{name: a, coreos_ssh_import_url: "https://example.net/k"}]
"""


def said(data: bytes) -> dict[str, Any]:
    assert data.startswith(b"#cloud-config\n")
    loaded: dict[str, Any] = yaml.safe_load(data)
    return loaded


def files(document: dict[str, Any]) -> dict[str, str]:
    return {each["path"]: each["content"] for each in document["write_files"]}


def test_coreos_says_everything() -> None:
    done = coreos(node(EVERYTHING))
    assert [loss.key for loss in done.losses] == ["environment"]
    found = said(done.data)
    assert found["hostname"] == "n1.example.net"
    assert found["coreos"]["update"] == {"reboot_strategy": "off"}
    assert files(found)["/etc/environment"] == "HTTP_PROXY=http://p:3128\nGREETING='it is $HOME'\n"
    hosts = "127.0.0.1 localhost n1.example.net\n::1 localhost\n192.0.2.1 a b\n2001:db8::1 c\n"
    assert files(found)["/etc/hosts"] == hosts
    assert "manage_etc_hosts" not in found
    units = {unit["name"]: unit for unit in found["coreos"]["units"]}
    first, second = units["etcd-member.service"]["drop_ins"]
    assert first["name"] == "10-a.conf"
    assert second["content"].splitlines() == [
        "[Service]",
        'Environment="ETCD_CLIENT_CERT_AUTH=true"',
        'Environment="ETCD_HEARTBEAT_INTERVAL=100"',
        'Environment="ETCD_INITIAL_CLUSTER_TOKEN=a \\"b\\" 5%%"',
        'Environment="ETCD_NAME=n1"',
    ]
    docker = 'Environment="DOCKER_OPTS=--log-driver=journald --iptables=false"'
    assert docker in units["docker.service"]["drop_ins"][0]["content"]
    assert "set-timezone Europe/Berlin" in units["coreops-timezone.service"]["content"]
    assert units["b.service"] == {"name": "b.service", "mask": True}


def test_coreos_keeps_its_own_keys_as_they_are() -> None:
    done = coreos(node(OLD))
    assert not done.losses
    found = said(done.data)["coreos"]
    assert found["fleet"] == {"metadata": "a=b", "verify_units": False}
    assert found["locksmith"] == {"window_start": "Sun 04:00", "window_length": "1h"}
    assert found["units"][0]["runtime"] is True


def test_coreos_tells_etcd_paths_as_its_container_sees_them() -> None:
    tls = "cert_file: /etc/etcd/a.pem, trusted_ca_file: /etc/etcd/ca.pem, wal_dir: /mnt/wal"
    done = coreos(node(f"coreos: {{etcd_member: {{{tls}}}}}"))
    (unit,) = said(done.data)["coreos"]["units"]
    assert unit["drop_ins"][0]["content"].splitlines() == [
        "[Service]",
        'Environment="ETCD_CERT_FILE=/etc/ssl/certs/a.pem"',
        'Environment="ETCD_TRUSTED_CA_FILE=/etc/ssl/certs/ca.pem"',
        'Environment="ETCD_SSL_DIR=/etc/etcd"',
    ]
    assert [loss.key for loss in done.losses] == ["coreos.etcd_member.wal_dir"]


def test_cloud_init_says_everything() -> None:
    done = cloud_init(node(EVERYTHING))
    assert not done.losses
    found = said(done.data)
    assert found["users"][0] == "default"
    ann = found["users"][1]
    assert (ann["sudo"], ann["lock_passwd"], ann["groups"]) == ("ALL=(ALL) NOPASSWD:ALL", False, ["sudo", "docker"])
    assert found["users"][2]["ssh_import_id"] == ["gh:bob"]
    assert found["write_files"][0] == {
        "path": "/etc/motd",
        "content": "off\n",
        "permissions": "0644",
        "owner": "ann:docker",
        "defer": True,
    }
    assert files(found)["/etc/systemd/system/etcd.service.d/10-a.conf"] == "[Service]\nA=b\n"
    assert files(found)["/etc/systemd/network/00-eth.network"] == "[Match]\nName=eth0\n"
    assert "ETCD_INITIAL_CLUSTER_TOKEN='a \"b\" 5%'\n" in files(found)["/etc/default/etcd"]
    assert found["runcmd"] == [
        "systemctl daemon-reload || failed=1",
        "systemctl enable -- a.service || failed=1",
        "systemctl mask -- b.service || failed=1",
        "systemctl restart systemd-networkd.service || failed=1",
        "systemctl --no-block start -- etcd.service || failed=1",
        '[ -z "$failed" ]',
    ]
    assert found["timezone"] == "Europe/Berlin"
    assert found["ntp"]["servers"] == ["a.example.net", "b.example.net"]


def test_cloud_init_tells_what_it_loses_key_by_key() -> None:
    lines = [str(loss) for loss in cloud_init(node(OLD)).losses]
    keys = {line.removeprefix("lost: ").partition(" -- ")[0] for line in lines}
    assert keys == {
        *("coreos.etcd.name", "coreos.etcd2.ca_file", "coreos.fleet.metadata", "coreos.fleet.verify_units"),
        *("coreos.flannel.interface", "coreos.locksmith.window_start", "coreos.locksmith.window_length"),
        *("coreos.update.group", "coreos.update.reboot_strategy", "coreos.oem.id"),
        *("coreos.units[a.service].runtime", "users[a].coreos_ssh_import_url"),
    }
    assert (
        "lost: coreos.etcd2.ca_file -- etcd 3 has no such option; written as trusted_ca_file, which trusts the same CA"
        in lines
    )


def test_two_keys_that_fight_over_a_file() -> None:
    text = "environment: {A: b}\nwrite_files: [{path: /etc/environment}]"
    for render in TARGETS.values():
        with pytest.raises(InputError, match="environment is written to /etc/environment"):
            render(node(text))


def test_a_value_that_readers_would_take_differently_is_refused() -> None:
    with pytest.raises(InputError, match="every reader"):
        coreos(node("""environment: {A: 'it''s $5'}"""))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_contents_arrive_unchanged(content: str) -> None:
    one = Node(write_files=(File(path="/a", content=content),))
    for render in (coreos, cloud_init):
        found = said(render(one).data)["write_files"][0]
        assert found.get("content", "") == content


@pytest.mark.parametrize("text", [EVERYTHING, OLD, "{}"])
def test_the_real_cloud_init_takes_it(text: str, tmp_path: Path) -> None:
    program = programs.cloud_init().command
    path = tmp_path / "user-data"
    path.write_bytes(cloud_init(node(text)).data)
    done = subprocess.run([program, "schema", "--config-file", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid cloud-config" in done.stdout
