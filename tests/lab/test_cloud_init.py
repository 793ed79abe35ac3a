"""Lab nodes that Debian's real cloud-init sets up, from what coreops renders. The tests build on each other."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from coreops.errors import InputError
from coreops.providers.namespace import image
from coreops.providers.namespace.flavour import CLOUD_INIT
from coreops.providers.namespace.host import require_programs, wait_until
from coreops.providers.namespace.keys import make_key
from coreops.providers.namespace.lab import Lab
from tests.lab.test_lab import traces
from tests.support import warm
from tests.support.twice import shown_by

pytestmark = pytest.mark.lab

HOSTILE = {
    "/etc/coreops test/$(touch x) `id`": "#!/bin/sh\necho \"$HOME\" '$(id)' `id` \\n %s {{ 7*7 }} ${x}\n",
    "/etc/coreops/-rf *": "\n\n  leading and trailing \n\n",
    "/etc/coreops/yaml": "off\n---\n- !!python/object:os.system [ls]\n...\n#cloud-config\n\ttab\r\nCR\n",
    "/etc/coreops/ünïcode ☃": "snow ☃\n\u00a0no newline at the end, 0644: 'yes' \"no\"",
    "/etc/coreops/empty": "",
}
ONCE = """[Unit]
Description=Counts how often it was told to start

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo once >> /var/lib/once'
"""
ENABLED = """[Service]
ExecStart=/usr/bin/sleep infinity

[Install]
WantedBy=multi-user.target
"""
NETWORK = "[Match]\nName=coreops-none0\n\n[Network]\nAddress=192.0.2.7/32\n"


@dataclass
class Born:
    """A lab whose nodes were born of user-data. key: the private key of which only user-data tells the nodes."""

    name: str
    base: Path
    key: Path

    @property
    def inventory(self) -> Path:
        return self.base / "lab"

    @property
    def render(self) -> Path:
        return self.base / "user-data"

    @property
    def lab(self) -> Lab:
        return Lab.open(self.name)

    def coreops(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = warm.run([sys.executable, "-c", warm.MAIN, *words], timeout=300, cwd=self.base)
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    def rendered(self, **node: Any) -> None:
        """Render with these keys of ``node``."""
        folder = self.inventory / "group_vars"
        folder.mkdir(exist_ok=True)
        variables = {"node_ssh_keys": [self.public], "private_ipv4": "{{ ansible_host }}", "node": node}
        (folder / "all.yml").write_text(yaml.safe_dump(variables, allow_unicode=True))
        place = ("-i", str(self.inventory), "-p", "lab", "-o", str(self.render))
        self.coreops("render", "-t", "cloud-init", *place)

    @property
    def public(self) -> str:
        return self.key.with_suffix(".pub").read_text().strip()

    def up(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        own = ("--name", self.name, "--inventory", str(self.inventory))
        return self.coreops("lab", "up", *own, *words, expect=expect)

    def sh(self, node: str, command: str) -> str:
        done = subprocess.run(self.lab.ssh_command(node, [command]), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def content(self, node: str, path: str) -> str:
        quoted = "'" + path.replace("'", "'\\''") + "'"
        return base64.b64decode(self.sh(node, f"sudo base64 -- {quoted}")).decode()


NODE: dict[str, Any] = {
    "users": [{"name": "ann", "groups": ["sudo"], "shell": "/bin/bash"}],
    "write_files": [
        *({"path": path, "content": text.replace("{{", "{{ '{{' }}")} for path, text in HOSTILE.items()),
        {"path": "/home/ann/note", "content": "hers\n", "owner": "ann", "permissions": "0600"},
        {"path": "/etc/coreops/me", "content": "I am {{ inventory_hostname }} at $private_ipv4\n"},
    ],
    "environment": {"PLAIN": "a", "SPACED": "a b $c"},
    "etc_hosts": {"192.0.2.9": ["peer.example", "peer"]},
    "time": {"zone": "Europe/Berlin", "servers": ["192.0.2.1", "192.0.2.2"]},
    "swap": {"file": "/var/swap", "size_mib": 16},
    "storage": {"filesystems": [{"device": "/dev/vda7", "format": "ext4", "label": "DATA"}]},
    "coreos": {
        "units": [
            {"name": "once.service", "content": ONCE, "command": "start"},
            {"name": "lasting.service", "content": ENABLED, "enable": True, "command": "start"},
            {"name": "ssh.service", "drop_ins": [{"name": "10-x.conf", "content": "[Service]\nEnvironment=X=y\n"}]},
            {"name": "50-none.network", "content": NETWORK},
        ]
    },
}


@pytest.fixture(scope="module")
def born(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Born]:
    try:
        require_programs(build=not image.current(CLOUD_INIT).disk.exists())
    except InputError as error:
        pytest.skip(f"no lab here: {error}")
    base = tmp_path_factory.mktemp("born")
    pair, key = make_key("only in user-data"), base / "key"
    key.write_text(pair.private)
    key.chmod(0o600)
    key.with_suffix(".pub").write_text(pair.public + "\n")
    made = Born(f"c{os.getpid()}", base, key)
    try:
        assert "3 nodes planned" in made.up("--no-boot").stdout
        NODE["users"][0]["ssh_authorized_keys"] = [pair.public]
        made.rendered(**NODE)
        said = made.up("--user-data", str(made.render))
        assert "3 nodes up" in said.stdout
        for node in ("n1", "n2", "n3"):
            assert f"{node}: cloud-init has applied its user-data" in said.stderr
        assert "these nodes have cloud-init, and so Python" in said.stderr
        assert "n1, n2, n3: a lab cannot do all of this user-data: swap: " in said.stderr
        yield made
    finally:
        Lab.down(made.name)
    assert traces(made.name) == {}


def test_cloud_init_ran_by_its_own_units_and_is_content(born: Born) -> None:
    said = born.sh(
        "n1", "cloud-init status --wait --long; systemctl is-system-running --wait; systemctl is-enabled cloud-init"
    )
    assert "status: done" in said
    assert "DataSourceNoCloud [seed=/var/lib/cloud/seed/nocloud]" in said
    assert "boot_status_code: enabled-by-generator" in said
    assert said.splitlines()[-2:] == ["running", "enabled"]
    assert born.sh("n1", "touch /usr/x 2>&1 || true").endswith("Read-only file system")
    assert "Valid cloud-config" in born.sh("n1", "sudo cloud-init schema --system")


@pytest.mark.parametrize("user", ["core", "ann"])
def test_a_key_that_only_user_data_tells_lets_in(born: Born, user: str) -> None:
    lab = born.lab
    strict = ("-oStrictHostKeyChecking=yes", f"-oUserKnownHostsFile={lab.inventory / 'known_hosts'}")
    own = ("-F", "/dev/null", "-oIdentitiesOnly=yes", "-oBatchMode=yes", "-oGlobalKnownHostsFile=/dev/null")
    command = ["ssh", *own, *strict, "-i", str(born.key), f"{user}@{lab.node('n2').address}", "id -un; sudo -n id -un"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == (f"{user}\nroot\n", 0), done.stderr


def test_every_file_is_there_byte_for_byte(born: Born) -> None:
    for path, text in HOSTILE.items():
        assert born.content("n1", path) == text, path
    for node in ("n1", "n3"):
        address = born.lab.node(node).address
        assert born.content(node, "/etc/coreops/me") == f"I am {node} at {address}\n"
    assert born.sh("n1", "sudo stat -c '%U %a' /home/ann/note") == "ann 600"


def test_names_time_and_network(born: Born) -> None:
    assert born.sh("n2", "hostname; hostnamectl --static") == "n2\nn2"
    hosts = [line.split() for line in born.content("n1", "/etc/hosts").splitlines()]
    assert ["192.0.2.9", "peer.example", "peer"] in hosts
    assert [born.lab.node("n3").address, "n3"] in hosts
    assert born.sh("n1", "getent hosts peer localhost").split()[0] == "192.0.2.9"
    assert born.sh("n1", 'echo "$PLAIN/$SPACED"') == "a/a b $c"
    assert born.sh("n1", "readlink /etc/localtime") == "/usr/share/zoneinfo/Europe/Berlin"
    assert born.sh("n1", "date +%Z") in ("CET", "CEST")
    assert "NTP=192.0.2.1 192.0.2.2" in born.sh("n1", "cat /etc/systemd/timesyncd.conf.d/*")
    assert born.content("n1", "/etc/systemd/network/50-none.network") == NETWORK


def test_units_are_enabled_and_started(born: Born) -> None:
    assert born.sh("n1", "systemctl is-enabled lasting; systemctl is-active lasting") == "enabled\nactive"
    assert born.sh("n1", "systemctl show -p Environment ssh") == "Environment=X=y"
    assert born.sh("n1", "cat /var/lib/once") == "once"


def test_swap_is_made_but_a_namespace_node_cannot_use_it(born: Born) -> None:
    assert born.sh("n1", "sudo blkid -p -o value -s TYPE /var/swap; stat -c %s /var/swap") == f"swap\n{16 << 20}"
    assert born.sh("n1", "grep -c '^/var/swap none swap' /etc/fstab || grep swap /etc/fstab")
    assert born.sh("n1", "tail -n +2 /proc/swaps | grep -c /var/swap || true") == "0"


def test_a_filesystem_is_made(born: Born) -> None:
    assert born.sh("n1", "sudo blkid -p -o value -s TYPE -s LABEL /dev/vda7").split() == ["DATA", "ext4"]
    assert born.sh("n1", "sudo mount /dev/vda7 /mnt; findmnt -n -o FSTYPE /mnt; sudo umount /mnt") == "ext4"


def test_a_second_boot_applies_nothing_twice(born: Born) -> None:
    before = born.sh("n1", "cat /var/lib/cloud/data/instance-id /proc/sys/kernel/random/boot_id").split()
    born.coreops("lab", "chaos", "n1", "reboot", "--name", born.name)
    said = born.up().stderr
    assert "n1: cloud-init has applied its user-data" in said
    after = born.sh("n1", "cat /var/lib/cloud/data/instance-id /proc/sys/kernel/random/boot_id").split()
    assert [new == old for new, old in zip(after, before, strict=True)] == [True, False]
    assert born.sh("n1", "cat /var/lib/once; systemctl is-active lasting; hostname") == "once\nactive\nn1"


def test_changed_user_data_is_a_new_instance(born: Born) -> None:
    files = [*NODE["write_files"], {"path": "/etc/coreops/later", "content": "new\n"}]
    born.rendered(**NODE | {"write_files": files})
    said = born.up("--user-data", str(born.render)).stderr
    assert "n1: has other user-data now; it counts from the next boot on: coreops lab chaos n1 reboot" in said
    assert born.sh("n1", "ls /etc/coreops/later 2>&1 || true").endswith("No such file or directory")
    born.coreops("lab", "chaos", "n1", "reboot", "--name", born.name)
    said = born.up("--user-data", str(born.render)).stderr
    assert "n1: cloud-init has applied" in said
    assert "n2: has other user-data now" in said
    assert born.content("n1", "/etc/coreops/later") == "new\n"
    assert born.sh("n1", "cat /var/lib/once") == "once\nonce"


def test_bootstrap_makes_a_healthy_store_of_them(born: Born) -> None:
    born.coreops("bootstrap", str(born.inventory))
    ctl = "--cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/client.crt --key /etc/etcd/pki/client.key"
    said = born.sh("n1", f"sudo ETCDCTL_API=3 /opt/etcd/current/etcdctl {ctl} endpoint health --cluster -w json")
    assert [each["health"] for each in json.loads(said)] == [True, True, True]


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (b"#cloud-config\nwrite_files: [{path: /etc/x, permissions: 0644}]\n", "Invalid cloud-config provided"),
        pytest.param(b"#cloud-config\nhostname: [unclosed\n", "yaml", marks=shown_by("another such document")),
        pytest.param(b"#cloud-config\nbootcmd: [[/bin/false]]\n", "bootcmd", marks=shown_by("another such document")),
    ],
)
def test_bad_user_data_is_told_and_the_node_stays_reachable(born: Born, document: bytes, complaint: str) -> None:
    folder = born.base / hashlib.sha256(document).hexdigest()[:8]
    folder.mkdir()
    (folder / "n3.yaml").write_bytes(document)
    entry = {"file": "n3.yaml", "sha256": hashlib.sha256(document).hexdigest()}
    index = {"format": 1, "target": "cloud-init", "platform": "lab", "nodes": {"n3": entry}}
    (folder / "index.json").write_text(json.dumps(index))
    born.up("--user-data", str(folder))
    born.coreops("lab", "chaos", "n3", "reboot", "--name", born.name)
    said = born.up(expect=1).stderr
    assert "n3: cloud-init could not apply all of the user-data" in said
    assert complaint in said
    assert "sudo cloud-init schema --system" in said
    assert complaint in born.coreops("lab", "logs", "n3", "--name", born.name).stdout
    assert born.sh("n3", "hostname") == "n3"


def test_a_mount_is_told_before_and_an_emergency_when_it_is_there(born: Born) -> None:
    filesystem = {"device": "/dev/vda7", "format": "ext4", "path": "/var/lib/data"}
    born.rendered(storage={"filesystems": [filesystem]})
    assert "this user-data: var-lib-data.mount: " in born.up("--user-data", str(born.render)).stderr
    born.coreops("lab", "chaos", "n3", "reboot", "--name", born.name)
    assert "n3: cloud-init could not apply" in born.up(expect=1).stderr
    started = time.monotonic()
    said = born.coreops("lab", "chaos", "n3", "reboot", "--name", born.name, expect=1).stderr
    assert "n3: the node's systemd went into emergency mode" in said
    assert time.monotonic() - started < 150


def test_down_leaves_nothing(born: Born) -> None:
    born.coreops("lab", "down", "--name", born.name)
    assert wait_until(lambda: traces(born.name) == {}, 60)
    assert not born.inventory.joinpath("hosts.yml").exists()
