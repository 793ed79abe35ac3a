"""Ignition: what is written, what is lost, what is refused, and what the real validator says."""

from __future__ import annotations

import base64
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.model import Node
from coreops.cloudconfig.model.file import File
from coreops.cloudconfig.targets import TARGETS
from coreops.cloudconfig.targets.ignition import data_url, render
from coreops.errors import InputError
from tests.cloudconfig.support import node
from tests.cloudconfig.targets.ignition_reading import STORAGE, body, files, losses, said, units
from tests.cloudconfig.targets.real_ignition import validate
from tests.cloudconfig.targets.test_targets import EVERYTHING, OLD


def test_it_says_everything() -> None:
    found = said(render(node(EVERYTHING)).data)
    assert list(found) == ["ignition", "storage", "systemd", "passwd"]
    assert found["ignition"] == {"version": "3.3.0"}
    assert found["storage"]["files"][0] == {
        "path": "/etc/motd",
        "overwrite": True,
        "contents": {"source": "data:,off%0A"},
        "mode": 0o644,
        "user": {"name": "ann"},
        "group": {"name": "docker"},
    }
    assert files(found) == {
        "/etc/motd": "off\n",
        "/etc/b": "hello",
        "/etc/hostname": "n1.example.net\n",
        "/etc/hosts": "127.0.0.1 localhost n1.example.net\n::1 localhost\n192.0.2.1 a b\n2001:db8::1 c\n",
        "/etc/environment": "HTTP_PROXY=http://p:3128\nGREETING='it is $HOME'\n",
        "/etc/systemd/timesyncd.conf.d/20-coreops.conf": "[Time]\nNTP=a.example.net b.example.net\n",
        "/etc/flatcar/update.conf": "REBOOT_STRATEGY=off\n",
        "/etc/systemd/network/00-eth.network": "[Match]\nName=eth0\n",
    }
    assert found["storage"]["links"] == [
        {"path": "/etc/localtime", "overwrite": True, "target": "../usr/share/zoneinfo/Europe/Berlin"}
    ]
    member = units(found)["etcd-member.service"]
    assert member["enabled"] is True
    assert [each["name"] for each in member["dropins"]] == ["10-a.conf", "20-coreops.conf"]
    assert 'Environment="ETCD_INITIAL_CLUSTER_TOKEN=a \\"b\\" 5%%"' in member["dropins"][1]["contents"]
    assert units(found)["b.service"] == {"name": "b.service", "mask": True}
    assert found["passwd"]["users"][0] == {"name": "core", "sshAuthorizedKeys": ["ssh-ed25519 AAAA a@b"]}


def test_it_tells_what_it_loses_key_by_key() -> None:
    keys = {line.partition(" -- ")[0] for line in losses(OLD)}
    assert keys == {
        *("coreos.etcd.name", "coreos.etcd2", "coreos.etcd2.ca_file", "coreos.fleet.metadata"),
        *("coreos.fleet.verify_units", "coreos.oem.id", "coreos.units[a.service].runtime"),
        "users[a].coreos_ssh_import_url",
    }
    assert [line.partition(" -- ")[0] for line in losses(EVERYTHING)] == [
        "users[bob].coreos_ssh_import_github",
    ]


def test_updates_and_their_windows_are_one_file() -> None:
    text = """coreos:
      update: {group: stable, server: "https://u.example.net/v1/update?a=b&c", reboot_strategy: etcd-lock}
      locksmith: {window_start: "Sun 04:00", window_length: 1h30m, endpoint: "http://n1:2379", group: g}
    """
    found = said(render(node(text)).data)
    assert files(found)["/etc/flatcar/update.conf"].splitlines() == [
        "REBOOT_STRATEGY=etcd-lock",
        "GROUP=stable",
        "SERVER=https://u.example.net/v1/update?a=b&c",
        "LOCKSMITHD_ENDPOINT=http://n1:2379",
        "LOCKSMITHD_GROUP=g",
        "LOCKSMITHD_REBOOT_WINDOW_START=Sun 04:00",
        "LOCKSMITHD_REBOOT_WINDOW_LENGTH=1h30m",
    ]
    secret = said(render(node("coreos: {locksmith: {etcd_password: x}, flannel: {etcd_password: y}}")).data)
    assert [each["mode"] for each in secret["storage"]["files"]] == [0o600, 0o600]
    with pytest.raises(InputError, match="every reader of /etc/flatcar"):
        render(node("""coreos: {update: {group: 'a "b"'}}"""))


def test_flannel_reads_a_file_of_its_own() -> None:
    found = said(render(node("coreos: {flannel: {interface: eth1, etcd_prefix: /a b}}")).data)
    assert files(found) == {"/etc/flannel/options.env": "FLANNELD_ETCD_PREFIX='/a b'\nFLANNELD_IFACE=eth1\n"}
    assert units(found)["flanneld.service"]["dropins"][0]["contents"] == (
        "[Service]\nEnvironmentFile=/etc/flannel/options.env\n"
    )


def test_bits_that_only_the_newer_spec_has() -> None:
    text = "write_files: [{path: /opt/x, permissions: '4755'}]"
    assert losses(text) == [
        "write_files[/opt/x].permissions -- spec 3.3.0 sets no setuid, setgid and sticky bits; 3.4.0 does;"
        " written as 0755"
    ]
    assert said(render(node(text)).data)["storage"]["files"][0]["mode"] == 0o755
    newer = render(node(text), "3.4.0")
    assert not newer.losses
    assert said(newer.data)["ignition"] == {"version": "3.4.0"}
    assert said(newer.data)["storage"]["files"][0]["mode"] == 0o4755


def test_specs_that_there_are_not() -> None:
    with pytest.raises(InputError, match="there is no spec") as caught:
        TARGETS["ignition"](Node(), "3.3")
    assert "3.3.0, 3.4.0" in str(caught.value.why)
    for target in ("coreos", "cloud-init"):
        with pytest.raises(InputError, match="has no spec to choose"):
            TARGETS[target](Node(), "3.3.0")


def test_what_ignition_refuses_is_said_in_its_way() -> None:
    text = """write_files: [{path: //etc/./a//b, owner: "500:27"}]
ssh_authorized_keys: [k, k]
users: [{name: ann, groups: [sudo, sudo]}]
"""
    done = render(node(text))
    assert validate(done.data) == ""
    found = said(done.data)
    (file,) = found["storage"]["files"]
    assert (file["path"], file["user"], file["group"]) == ("/etc/a/b", {"id": 500}, {"id": 27})
    assert found["passwd"]["users"] == [
        {"name": "core", "sshAuthorizedKeys": ["k"]},
        {"name": "ann", "groups": ["sudo"]},
    ]


def test_large_contents_are_compressed_inside_the_config() -> None:
    text = "hello world\n" * 2000
    done = render(Node(write_files=(File(path="/etc/large", content=text),)))
    (found,) = (each["contents"] for each in said(done.data)["storage"]["files"])
    assert found["compression"] == "gzip"
    assert gzip.decompress(base64.b64decode(found["source"].removeprefix("data:;base64,"))).decode() == text
    assert validate(done.data) == ""


def test_files_that_would_be_gone() -> None:
    (line,) = losses("write_files: [{path: /run/a}]")
    assert line.startswith("write_files[/run/a] -- /run is empty at every boot")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hostname: a\nwrite_files: [{path: /etc/hostname}]", "hostname is written to /etc/hostname"),
        ("write_files: [{path: /etc/a}, {path: /etc/a/b}]", "/etc/a/b lies below a file, /etc/a"),
        ("write_files: [{path: /etc/a}, {path: //etc/a/./b}]", "/etc/a/b lies below a file, /etc/a"),
        ("write_files: [{path: /a, owner: '9999999999'}]", "9999999999 is not the number"),
        (
            "write_files: [{path: /etc/systemd/system/a.service}]\n"
            "coreos: {units: [{name: a.service, content: '[Unit]'}]}",
            "a.service is written twice",
        ),
        ("time: {zone: UTC}\nwrite_files: [{path: /etc/localtime}]", "/etc/localtime is written twice"),
        ("write_files: [{path: /a, content: '%', encoding: b64}]", "cannot be decoded as 'b64'"),
        ("write_files: [{path: /a, content: aGk=, encoding: gz+b64}]", "cannot be decoded as 'gz\\+b64'"),
        (
            "coreos: {units: [{name: a.service, drop_ins: [{name: a.conf, content: x}, {name: a.conf, content: y}]}]}",
            "two drop-ins a.conf",
        ),
    ],
)
def test_what_would_fail_the_boot(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        render(node(text))


@pytest.mark.parametrize("text", [EVERYTHING, OLD, STORAGE, "{}"])
def test_the_real_validator_has_nothing_to_say(text: str) -> None:
    assert validate(render(node(text)).data) == ""


def test_storage_and_swap() -> None:
    found = said(render(node(STORAGE)).data)
    assert found["storage"]["disks"] == [
        {
            "device": "/dev/disk/by-id/virtio-data",
            "wipeTable": True,
            "partitions": [
                {
                    "label": "data",
                    "number": 1,
                    "sizeMiB": 1024,
                    "typeGuid": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
                },
                {"label": "rest", "wipePartitionEntry": True},
            ],
        }
    ]
    assert found["storage"]["filesystems"][0] == {
        "device": "/dev/disk/by-partlabel/data",
        "format": "ext4",
        "path": "/var/lib/data",
        "label": "DATA",
        "wipeFilesystem": True,
        "options": ["-E", "nodiscard"],
        "mountOptions": ["noatime", "nofail"],
    }
    enabled = {name for name, unit in units(found).items() if unit.get("enabled")}
    assert enabled == {"var-swap.swap", "var-lib-data.mount", "dev-disk-by\\x2dpartlabel-rest.swap"}


@given(st.binary())
def test_any_bytes_survive_as_a_url(data: bytes) -> None:
    url = data_url(data)
    assert url.isascii()
    assert url.isprintable()
    assert body(url) == data


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_contents_arrive_unchanged(content: str) -> None:
    one = Node(write_files=(File(path="/a", content=content),))
    assert files(said(render(one).data))["/a"] == content
