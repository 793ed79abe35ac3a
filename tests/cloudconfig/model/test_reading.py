"""Every mistake in a node has its place, and a next step where there is one."""

from __future__ import annotations

import pytest

from coreops.errors import InputError
from tests.cloudconfig.support import node


@pytest.mark.parametrize(
    ("text", "where", "what", "next_step"),
    [
        ("hostnam: a", "node.yml:1:1", "unknown key hostnam", "did you mean 'hostname'?"),
        ("coreos:\n  untis: []", "node.yml:2:3", "unknown key coreos.untis", "did you mean 'units'?"),
        (
            "coreos:\n  units:\n    - name: a.service\n      comand: start",
            "node.yml:4:7",
            "unknown key coreos.units[0].comand",
            "did you mean 'command'?",
        ),
        ("coreos: {update: {reboot-strategy: off}}", "node.yml:1:36", "'off', not false", "quote it"),
        ("write_files: [{path: /a, permissions: 0644}]", "node.yml:1:39", "must be text, not 420", "quote it"),
        ("write_files: [{path: /usr/lib/a}]", "node.yml:1:22", "/usr is read-only", ""),
        ("write_files: [{path: //usr//lib/a}]", "node.yml:1:22", "/usr is read-only", ""),
        ("write_files: [{path: //.}]", "node.yml:1:22", "must name a file", ""),
        ("write_files: [{path: /a}, {path: //./a}]", "node.yml:1:34", "the path /a is there twice", ""),
        ("write_files: [{path: a}]", "node.yml:1:22", "must be absolute", ""),
        ("write_files: [{path: /a/../usr/b}]", "node.yml:1:22", "must not contain ..", ""),
        ("write_files: [{content: a}]", "node.yml:1:15", "write_files[0].path is missing", ""),
        ("write_files: [{path: /a}, {path: /a}]", "node.yml:1:34", "the path /a is there twice", ""),
        ("write_files: {path: /a}", "node.yml:1:14", "write_files must be a list, not a mapping", ""),
        ("users: [{name: Ann!}]", "node.yml:1:16", "'Ann!' is not a value for users[0].name", "small letters"),
        (
            "users: [{name: a, gecos: 'Ann: boss'}]",
            "node.yml:1:26",
            "not a value for users[0].gecos",
            "leave out the :",
        ),
        ("users: [{name: a, homedir: '/a:b'}]", "node.yml:1:28", "not a value for users[0].homedir", "without :"),
        ("users: [{name: a, shell: '/bin/sh:'}]", "node.yml:1:26", "not a value for users[0].shell", "without :"),
        ('users: [{name: a, shell: "/bin/sh\\n"}]', "node.yml:1:26", "it must be one line", ""),
        ("users: [{name: a, groups: ['b,c']}]", "node.yml:1:28", "not a value for users[0].groups[0]", "one group"),
        ("users: [{name: a, primary_group: -g}]", "node.yml:1:34", "not a value for users[0].primary_group", ""),
        ("hostname: w_2", "node.yml:1:11", "'w_2' is not a value for hostname", "node_hostname"),
        ('users: [{name: ann, passwd: "secret"}]', "node.yml:1:29", "users[0].passwd must be a hash", "openssl"),
        ("coreos: {units: [{name: a}]}", "node.yml:1:25", "'a' is not a value for coreos.units[0].name", ""),
        ('coreos: {units: [{name: "a b.service"}]}', "node.yml:1:25", "is not a value", ""),
        ("coreos: {units: [{name: a.service, command: strat}]}", "node.yml:1:45", "must be 'start'", ""),
        ("coreos: {locksmith: {window_start: '10:00'}}", "node.yml:1:21", "go together", ""),
        ("coreos: {etcd2: {heartbeat_interval: '100'}}", "node.yml:1:38", "must be a whole number", ""),
        ("hostname: -x", "node.yml:1:11", "'-x' is not a value for hostname", ""),
        ('hostname: "a\\nb"', "node.yml:1:11", "it must be one line", ""),
        ('ssh_authorized_keys: ["a\\nb"]', "node.yml:1:23", "it must be one line", ""),
        ("etc_hosts: {a: [b]}", "node.yml:1:16", "does not appear to be an IPv4 or IPv6 address", ""),
        ("coreos: {fleet: {agent-ttl: a, agent_ttl: b}}", "node.yml:1:17", "is written twice", ""),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, where: str, what: str, next_step: str) -> None:
    with pytest.raises(InputError) as caught:
        node(text)
    assert caught.value.where == where
    assert what in caught.value.what
    assert next_step in (caught.value.next or "")
    assert "n1" in caught.value.what
    assert "secret" not in str(caught.value)


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    with pytest.raises(InputError) as caught:
        node("coreos:\n  untis: []\nusers: 3\nhostname: 7\n")
    assert caught.value.where == "node.yml:2:3"
    assert caught.value.why is not None
    assert caught.value.why.splitlines()[0] == "2 more problems:"
    assert "node.yml:3:8: users must be a list" in caught.value.why


def test_hyphens_and_underscores_are_alike_in_keys() -> None:
    found = node("ssh-authorized-keys: [a]\ncoreos: {etcd2: {data-dir: /d}, units: [{name: a.service, drop-ins: []}]}")
    assert found.ssh_authorized_keys == ("a",)
    assert found.coreos.etcd2 is not None
    assert found.coreos.etcd2.data_dir == "/d"


def test_names_in_the_environment_are_kept() -> None:
    assert node('environment: {A_B: "x"}').environment == {"A_B": "x"}
    with pytest.raises(InputError):
        node('environment: {A-B: "x"}')
