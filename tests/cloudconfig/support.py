"""A node from YAML text; and nodes as ``coreops render`` makes them, from an inventory and the shipped templates."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from coreops.cli import _nodes
from coreops.cloudconfig.addresses import NOWHERE
from coreops.cloudconfig.marked import parse
from coreops.cloudconfig.model import Node, node_of
from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.cloudconfig.read import ROLES, Host, Reader
from coreops.cloudconfig.render import NodeFile, Wanted, render
from coreops.cloudconfig.targets import TARGETS
from coreops.inventory.load import load_inventory

__all__ = ["FULL", "HOSTILE", "PLAIN", "PLATFORMS", "ROLES", "TARGETS", "node", "rendered"]

PLAIN = """\
all:
  vars:
    node_ssh_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJf3uHJ3kqCXXL7kVYQ1bqkV1Yc4sbJxN2o5z0rjkFPw ops@example.net"]
    node_etcd: true
    node_etcd_token: "0755"
  children:
    store:
      hosts:
        n1: {private_ipv4: 192.0.2.1, public_ipv4: 198.51.100.1}
        n2: {private_ipv4: 192.0.2.2, public_ipv4: 198.51.100.2}
        n3: {private_ipv4: 192.0.2.3, public_ipv4: 198.51.100.3}
    rest:
      hosts:
        w1: {private_ipv4: 192.0.2.9, public_ipv4: 198.51.100.9}
"""
"""What the templates ask for, and nothing more: every target can express it."""
FULL = PLAIN.replace(
    "  children:",
    """\
    node_time_servers: [0.example.net, 1.example.net]
    node:
      users:
        - {name: ann, groups: [sudo], passwd: "$6$salt$hash", shell: /bin/bash, ssh_authorized_keys: [ssh-rsa AAAA]}
      write_files:
        - {path: /etc/motd, content: "off\\n", permissions: "0600", owner: "ann:ann"}
        - {path: /opt/bin/hello, content: "#!/bin/sh\\necho \\"$private_ipv4\\" '\\\\$private_ipv4' 100%\\n",
           permissions: "0755"}
        - {path: /etc/blob, content: AP8B, encoding: b64}
        - {path: "/etc/with space", content: "ünï ☃ $(id) `id` 'a' \\"b\\"\\tc"}
      time: {zone: Europe/Berlin}
      coreos:
        docker: {flags: [--log-driver=journald]}
        units:
          - name: backup.timer
            enable: true
            content: "[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n"
          - {name: sshd.socket, drop_ins: [{name: 10-port.conf, content: "[Socket]\\nListenStream=2222\\n"}]}
          - {name: avahi-daemon.service, mask: true}
          - {name: 00-eth0.network, content: "[Match]\\nName=eth0\\n\\n[Network]\\nDHCP=yes\\n"}
  children:""",
)
"""A bit of everything that all targets can express."""

HOSTILE = r"""
hostname: "off"
ssh_authorized_keys: ["ssh-ed25519 AAAA 'a' \"b\" $(id) `id` \\ #x", "ssh-ed25519 BBBB - *"]
users:
  - {name: "off", gecos: "it's $(id), \"q\" # * é", groups: [sudo], passwd: "$6$a$b/.", shell: /bin/bash}
write_files:
  - {path: "/etc/a b/'c' \"d\" $(id) `id`/*?[x] é☃/-rf", content: "--\n"}
  - {path: "/etc/#x: y", content: ""}
  - {path: /etc/crlf, content: "a\r\nb\r\n", permissions: "600"}
  - {path: /etc/controls, content: "\a\b\e\f\v\x7f\x85\u2028\u2029\ufeff\0end"}
  - {path: /etc/unicode, content: "\U0001F600 ünï\tß ﷽ \u200b", permissions: "0640"}
  - {path: /etc/blanks, content: "   \n\n  x  \n \n\n"}
  - {path: /etc/newlines, content: "\n\n\n"}
  - {path: /etc/yaml, content: "- a: {b: [off, 0644, ~]}\n---\n...\n%TAG ! x\n&a *a !!x | >\n"}
  - {path: /etc/template, content: "{{ hostname }} {% raw %} ## template: jinja\n$HOME ${X} %n %% \\$x \\\\\n"}
  - {path: /etc/percent, content: "a%20b%zz+c,data:;base64,AAAA?x=1#y&z"}
  - {path: /etc/word, content: "0644", owner: "off:sudo"}
  - {path: /etc/blob, content: AP8B, encoding: b64}
  - {path: /etc/zipped, content: H4sIAAAAAAACA8tIzcnJ5wIAIDA6NgYAAAA=, encoding: gzip+base64, permissions: "0400"}
  - {path: /opt/bin/setuid, content: "x", permissions: "4755"}
coreos:
  units:
    - name: hostile:x-y.service
      enable: true
      content: "[Service]\nExecStart=/bin/sh -c 'echo \"$$HOME\" %%n \\\\' \n# é\n[Install]\nWantedBy=a.target\n"
      drop_ins: [{name: "10 $(id) 'é'.conf", content: "[Service]\nEnvironment=\"A=%%b 'c'\"\n"}]
    - {name: 'a\x2db.mount', content: "[Mount]\nWhat=tmpfs\nWhere=/a-b\nType=tmpfs\n"}
    - {name: 10-e.link, content: "[Match]\nMACAddress=00:00:5e:00:53:01\n"}
    - {name: 'a@b\x20c.service', drop_ins: [{name: a.conf, content: "[Service]\n"}]}
    - {name: masked.service, mask: true}
"""
"""Values that are something else wherever they are not quoted. Every target can express it."""


def node(text: str) -> Node:
    return node_of(parse(text, "node.yml"), "n1")


@cache
def host(inventory: str, role: str) -> Host:
    """The host of the role: n1 or w1; for ``single`` there are no other members."""
    lines = inventory.splitlines(keepends=True)
    if role == "single":
        lines = [line for line in lines if not line.startswith(("        n2:", "        n3:"))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hosts.yml")
        path.write_text("".join(lines))
        return _nodes.hosts(load_inventory(path), ("w1" if role == "worker" else "n1",))[0]


@cache
def rendered(inventory: str, role: str, target: str, platform: str | None = None) -> NodeFile:
    """What ``coreops render`` keeps of the node with this role."""
    where = PLATFORMS[platform] if platform else NOWHERE
    hosts = [host(inventory, role)]
    wanted = Wanted(target=target, platform=where, named=platform is not None, allow_loss=True)
    done = render(hosts, Reader(_nodes.shipped()), wanted)
    (found,) = done.nodes
    assert found.role == role
    return found
