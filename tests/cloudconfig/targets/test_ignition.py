"""Ignition: what is written, what is lost, what the real validator says, and the tree that the real Ignition makes."""

from __future__ import annotations

import base64
import gzip
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from coreops.cloudconfig.model import Node
from coreops.cloudconfig.model.coreos import CoreOS
from coreops.cloudconfig.model.file import File
from coreops.cloudconfig.model.unit import DropIn, Unit
from coreops.cloudconfig.targets import TARGETS
from coreops.cloudconfig.targets.ignition import data_url, render
from coreops.errors import InputError
from tests.cloudconfig.support import node
from tests.cloudconfig.targets.real_ignition import booted, validate
from tests.cloudconfig.targets.test_targets import EVERYTHING, OLD

STORAGE = """
swap: {file: /var/swap, size_mib: 512}
storage:
  disks:
    - device: /dev/disk/by-id/virtio-data
      wipe_table: true
      partitions:
        - {label: data, number: 1, size_mib: 1024, type_guid: 0FC63DAF-8483-4772-8E79-3D69D8477DE4}
        - {label: rest, wipe_partition_entry: true}
  filesystems:
    - {device: /dev/disk/by-partlabel/data, format: ext4, path: /var/lib/data, label: DATA, wipe_filesystem: true,
       options: [-E, nodiscard], mount_options: [noatime, nofail]}
    - {device: /dev/disk/by-partlabel/rest, format: swap}
"""
ACCOUNTS = """
users:
  - {name: ann, passwd: "$6$a$b", groups: [sudo, docker, sudo], shell: /bin/bash, gecos: "A $(id) 'b'", system: true}
  - {name: bob, homedir: /home/b, no_create_home: true, primary_group: users, no_log_init: true}
  - {name: core, ssh_authorized_keys: [k2], groups: [docker]}
ssh_authorized_keys: [k2, k3]
write_files: [{path: /etc/motd, owner: ann}]
"""
_OWN = "/etc/systemd/system/x.service"
HOSTILE = "off\n  'a' \"b\" \\n \\ $(id) `id` $HOME ${HOME} %n %% \t ünï ☃ \U0001f600 \x01\x7f #\u2028\r\n: - ?\n\n"


def said(data: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(data)
    return loaded


def units(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {unit["name"]: unit for unit in found["systemd"]["units"]}


def files(found: dict[str, Any]) -> dict[str, str]:
    return {each["path"]: body(each["contents"]["source"]).decode() for each in found["storage"]["files"]}


def body(url: str) -> bytes:
    kind, _, text = url.removeprefix("data:").partition(",")
    return base64.b64decode(text) if kind == ";base64" else unquote_to_bytes(text)


def losses(text: str, spec: str | None = None) -> list[str]:
    return [str(loss).removeprefix("lost: ") for loss in render(node(text), spec).losses]


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
        "users[ann].gecos",
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


@pytest.mark.parametrize(
    ("unit", "enabled", "link", "lost"),
    [
        ("name: docker.service, command: start", True, None, []),
        ("name: x.service, command: start", None, "/usr/lib/systemd/system/x.service", []),
        ("name: x.service, enable: true", True, None, []),
        ("name: x@1.service, command: restart", None, "/usr/lib/systemd/system/x@.service", []),
        ('name: x.service, command: start, content: "[Service]\\n"', None, _OWN, []),
        ('name: x.service, enable: true, content: "[Service]\\n"', None, _OWN, ["enable"]),
        ('name: x.service, command: start, content: "[Install]\\nWantedBy=multi-user.target"', True, None, []),
        ('name: x.service, enable: true, content: "[Install]\\nWantedBy=y.service"', True, None, []),
        ('name: x.service, command: start, content: "[Install]\\n#WantedBy=multi-user.target"', None, _OWN, []),
        (
            'name: x.service, enable: true, command: start, content: "[Install]\\nWantedBy=y.service"',
            *(True, _OWN, []),
        ),
        ("name: x.service, command: stop", False, None, ["command"]),
        ("name: x.service, command: reload", None, None, ["command"]),
        ("name: x.service, command: stop, mask: true", None, None, []),
        ("name: x.service, command: start, enable: true, mask: true", None, None, ["enable", "command"]),
        ("name: a.network, command: start, content: x", None, None, []),
        ("name: a.network, mask: true", None, "/dev/null", []),
        ("name: fleet.service, command: start", None, None, ["coreos.units[fleet.service]"]),
        ("name: fleet.service, mask: true", None, None, []),
        ("name: etcd2.service, command: start", True, None, ["coreos.units[etcd2.service]"]),
    ],
)
def test_what_was_to_be_started_is_wanted(unit: str, enabled: bool | None, link: str | None, lost: list[str]) -> None:
    done = render(node(f"coreos: {{units: [{{{unit}}}]}}"))
    found = said(done.data)
    assert [each.get("enabled") for each in found.get("systemd", {}).get("units", [{}])] == [enabled]
    targets = [each["target"] for each in found.get("storage", {}).get("links", [])]
    assert targets == ([] if link is None else [link])
    assert [loss.key.partition("].")[2] or loss.key for loss in done.losses] == lost
    assert validate(done.data) == ""


def options(text: str) -> dict[str, str]:
    found = units(said(render(node(text)).data))["etcd-member.service"]["dropins"][-1]["contents"]
    lines = [line.removeprefix('Environment="').removesuffix('"') for line in found.splitlines()[1:]]
    return {line.partition("=")[0].removeprefix("ETCD_"): line.partition("=")[2] for line in lines}


def test_etcd_is_told_paths_as_its_container_sees_them() -> None:
    tls = "cert_file: /etc/etcd/pki/a.pem, key_file: /etc/etcd/pki/a-key.pem, trusted_ca_file: /etc/etcd/ca.pem"
    found = options(f"coreos: {{etcd_member: {{{tls}, data_dir: /mnt/etcd, wal_dir: /mnt/etcd/wal}}}}")
    assert found == {
        "CERT_FILE": "/etc/ssl/certs/pki/a.pem",
        "DATA_DIR": "/mnt/etcd",
        "KEY_FILE": "/etc/ssl/certs/pki/a-key.pem",
        "TRUSTED_CA_FILE": "/etc/ssl/certs/ca.pem",
        "WAL_DIR": "/var/lib/etcd/wal",
        "SSL_DIR": "/etc/etcd",
    }
    seen = "cert_file: /etc/ssl/certs/a.pem, key_file: /run/k.pem, trusted_ca_file: /var/lib/etcd/ca.pem"
    assert options(f"coreos: {{etcd_member: {{{seen}}}}}") == {
        "CERT_FILE": "/etc/ssl/certs/a.pem",
        "KEY_FILE": "/run/k.pem",
        "TRUSTED_CA_FILE": "/var/lib/etcd/ca.pem",
    }
    own = 'units: [{name: etcd-member.service, drop_ins: [{name: 30.conf, content: "[Service]\\nExecStart="}]}]'
    assert options(f"coreos: {{etcd_member: {{{tls}}}, {own}}}")["CERT_FILE"] == "/etc/etcd/pki/a.pem"
    assert losses("coreos: {etcd_member: {wal_dir: /mnt/wal}}") == [
        "coreos.etcd_member.wal_dir -- the container keeps only data_dir, /var/lib/etcd: a log outside it would be lost"
        " with the container; written as /var/lib/etcd/member/wal, where it is by default"
    ]


def test_of_several_sections_of_etcd_the_newest_counts() -> None:
    text = "coreos: {etcd2: {name: old, proxy: 'on'}, etcd_member: {name: new, enable_v2: true}}"
    assert options(text) == {"NAME": "new"}
    assert [line.partition(" -- ")[0] for line in losses(text)] == [
        *("coreos.etcd2.name", "coreos.etcd2.proxy", "coreos.etcd_member.enable_v2")
    ]
    assert options(
        "coreos: {etcd2: {peer_ca_file: /etc/ssl/certs/ca.pem, debug: true, discovery_fallback: proxy}}"
    ) == {"PEER_TRUSTED_CA_FILE": "/etc/ssl/certs/ca.pem"}


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


def test_files_that_would_be_gone() -> None:
    (line,) = losses("write_files: [{path: /run/a}]")
    assert line.startswith("write_files[/run/a] -- /run is empty at every boot")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hostname: a\nwrite_files: [{path: /etc/hostname}]", "hostname is written to /etc/hostname"),
        ("write_files: [{path: /etc/a}, {path: /etc/a/b}]", "/etc/a/b lies below a file, /etc/a"),
        ("write_files: [{path: /etc/a}, {path: /etc//a}]", "/etc/a is written twice"),
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


def test_the_tree_that_the_real_ignition_makes() -> None:
    zipped = base64.b64encode(gzip.compress(HOSTILE.encode(), mtime=0)).decode()
    unit = "[Unit]\nDescription=%n $HOME \\\\ 'a' \"b\" ☃\n"
    one = Node(
        hostname="n1",
        ssh_authorized_keys=("ssh-ed25519 AAAA 'a' \"b\" $(id)",),
        write_files=(
            File(path="/etc/a b/ünï $(id) 'x' \"y\" %n", content=HOSTILE),
            File(path="/etc/zipped", content=zipped, encoding="gzip+base64", permissions="0600", owner="core:sudo"),
            File(path="/etc/binary", content=base64.b64encode(bytes(range(256))).decode(), encoding="b64"),
            File(path="/etc/owned", owner="500:27", permissions="600"),
        ),
        coreos=CoreOS(
            units=(
                Unit(
                    name="a.service", content=unit, command="start", drop_ins=(DropIn(name="a b.conf", content=unit),)
                ),
                Unit(name="x@y.service", command="start"),
            )
        ),
    )
    done = render(one)
    assert validate(done.data) == ""
    with booted(done.data) as root:
        assert read(root, "etc/a b/ünï $(id) 'x' \"y\" %n") == (HOSTILE.encode(), 0o644, 0, 0)
        assert read(root, "etc/zipped") == (HOSTILE.encode(), 0o600, 500, 27)
        assert read(root, "etc/binary") == (bytes(range(256)), 0o644, 0, 0)
        assert read(root, "etc/owned") == (b"", 0o600, 500, 27)
        assert read(root, "etc/systemd/system/a.service")[0] == unit.encode()
        assert read(root, "etc/systemd/system/a.service.d/a b.conf")[0] == unit.encode()
        wants = root / "etc/systemd/system/multi-user.target.wants"
        assert {each.name: os.readlink(each) for each in wants.iterdir()} == {
            "a.service": "/etc/systemd/system/a.service",
            "x@y.service": "/usr/lib/systemd/system/x@.service",
        }
        keys = next((root / "home/core/.ssh").rglob("ignition"))
        assert keys.read_text().strip() == "ssh-ed25519 AAAA 'a' \"b\" $(id)"


LINES = st.sampled_from(
    (
        "[Unit]",
        "[Unit",
        "[Unit] ",
        "[Unit]x",
        "[]",
        "A=b",
        "A = b",
        " A=b",
        "A",
        "=b",
        "A=b\\",
        "\\",
        "# c\\",
        ";",
        "",
        "]",
    )
) | st.text(st.characters(codec="utf-8"), max_size=9)


@settings(max_examples=15, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(st.lists(LINES, max_size=6).map("\n".join), min_size=20, max_size=60))
def test_no_content_of_a_unit_fails_the_boot(contents: list[str]) -> None:
    found = [
        Unit(name=f"a{index}.service", content=text, drop_ins=(DropIn(name="a.conf", content=text),))
        for index, text in enumerate(contents)
    ]
    done = render(Node(coreos=CoreOS(units=tuple(found))))
    assert not done.losses
    assert validate(done.data) == ""


def test_long_lines_of_units_become_files() -> None:
    text = f"[Service]\nExecStart=/bin/echo {'x' * 3000}\n[Install]\nWantedBy=multi-user.target\n"
    unit = Unit(name="a.service", content=text, command="start", drop_ins=(DropIn(name="a.conf", content=text),))
    done = render(Node(coreos=CoreOS(units=(unit,))))
    assert validate(done.data) == ""
    with booted(done.data) as root:
        assert read(root, "etc/systemd/system/a.service")[0] == text.encode()
        assert read(root, "etc/systemd/system/a.service.d/a.conf")[0] == text.encode()
        assert (root / "etc/systemd/system-preset/20-ignition.preset").read_text() == "enable a.service\n"


def read(root: Path, name: str) -> tuple[bytes, int, int, int]:
    path = root / name
    about = path.stat()
    return path.read_bytes(), about.st_mode & 0o7777, about.st_uid, about.st_gid


def test_accounts_that_the_real_ignition_makes() -> None:
    done = render(node(ACCOUNTS))
    assert not done.losses
    assert validate(done.data) == ""
    with booted(done.data) as root:
        passwd = {line.partition(":")[0]: line for line in (root / "etc/passwd").read_text().splitlines()}
        assert passwd["ann"].endswith(":A $(id) 'b':/home/ann:/bin/bash")
        assert passwd["bob"].split(":")[3::2] == ["100", "/home/b"]
        assert "ann:$6$a$b:" in (root / "etc/shadow").read_text()
        groups = (root / "etc/group").read_text().splitlines()
        assert {"sudo:x:27:ann", "docker:x:233:core,ann"} <= {line.replace("ann,core", "core,ann") for line in groups}
        assert (root / "etc/motd").stat().st_uid == int(passwd["ann"].split(":")[2])
        assert next((root / "home/core/.ssh").rglob("ignition")).read_text().split() == ["k2", "k3"]


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
