"""What a healthy member looks like from the outside. Run by ``coreops bootstrap --verify``; copy it to add your own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from coreops.store.cluster import Member
from coreops.store.etcdctl import line


def test_the_service_runs_and_comes_back_after_a_reboot(host: Any, member: Member) -> None:
    service = host.service("etcd")
    assert service.is_running
    assert service.is_enabled


def test_it_listens_for_clients_and_peers(host: Any, member: Member) -> None:
    listening = host.check_output("cat /proc/net/tcp /proc/net/tcp6")
    ports = {int(row.split()[1].rpartition(":")[2], 16) for row in listening.splitlines() if " 0A " in row}
    assert {member.client_port, member.peer_port} <= ports


@pytest.mark.parametrize("name", ["member.key", "client.key"])
def test_keys_are_private(host: Any, member: Member, name: str) -> None:
    assert host.file(f"/etc/etcd/pki/{name}").mode == 0o600


def test_the_authority_s_key_is_not_on_the_node(host: Any, member: Member) -> None:
    assert host.run("find /etc/etcd /opt/etcd -name 'ca.key' | grep .").rc == 1


def test_the_data_folder_is_private(host: Any, member: Member) -> None:
    folder = host.file(member.data_dir)
    assert folder.user == "etcd"
    assert folder.mode == 0o700


def test_the_program_is_the_pinned_one(host: Any, member: Member) -> None:
    target = host.check_output("readlink /opt/etcd/current")
    assert f"etcd Version: {target.partition('-')[0]}" in host.check_output("/opt/etcd/current/etcd --version")


def test_the_member_list_is_the_inventory(host: Any, member: Member, members: Sequence[Member]) -> None:
    found = json.loads(host.check_output(line("-w", "json", "member", "list", endpoints=[member.client_url])))
    voters = {entry["name"]: entry["peerURLs"] for entry in found["members"] if not entry.get("isLearner")}
    for wanted in members:
        assert voters[wanted.name] == [wanted.peer_url]


def test_no_alarm(host: Any, member: Member) -> None:
    assert host.check_output(line("alarm", "list", endpoints=[member.client_url])) == ""


def test_a_client_without_a_certificate_is_refused(host: Any, member: Member) -> None:
    command = line("get", "x", endpoints=[member.client_url], certificates=False, timeout=2)
    assert host.run(command).rc != 0


def test_every_member_is_healthy(host: Any, member: Member, members: Sequence[Member]) -> None:
    ends = [wanted.client_url for wanted in members]
    found = json.loads(host.check_output(line("-w", "json", "endpoint", "health", endpoints=ends)))
    assert [entry for entry in found if not entry["health"]] == []
