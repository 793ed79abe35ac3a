from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import HostFailed
from coreops.model import Record
from coreops.store import etcdctl, observe
from coreops.store.cluster import Member

MEMBERS = (
    '{"header":{"cluster_id":1},"members":[{"ID":18446744073709551615,"name":"n1","peerURLs":["https://10.0.0.1:2380"],'
    '"clientURLs":["https://10.0.0.1:2379"]},{"ID":2,"peerURLs":["https://10.0.0.2:2380"],"isLearner":true}]}'
)
STATUS = (
    '[{"Endpoint":"https://127.0.0.1:2379","Status":{"header":{"cluster_id":1,"member_id":18446744073709551615,'
    '"revision":7},"version":"3.5.1","dbSize":9,"leader":2,"raftIndex":11}}]'
)


def parse(text: str) -> observe.Node:
    record = Record(observe.STEP, "ok", stdout=text.encode())
    return observe.parse("n1", record, sent=100.0, received=101.0)


def test_a_whole_answer() -> None:
    node = parse(
        f"time 100.75\nuid 0\narch x86_64\nos flatcar\nos_version 3510\nsystemd 252\nlistening 094B 0016 \n"
        f'unit LoadState=loaded ActiveState=active SubState=running\nhealth [{{"endpoint":"x","health":true}}]\n'
        f"status {STATUS}\nmembers {MEMBERS}\ndata yes\nformed yes\nrelease 3.5.1-ab\nfingerprint a\nstarted_with a\n"
    )
    assert node.active
    assert node.healthy
    assert node.data
    assert node.formed
    assert not node.stale
    assert node.os == "flatcar 3510"
    assert node.listening == {2379, 22}
    assert node.clock == observe.Clock(-0.25, 0.75)
    assert node.status is not None
    assert node.status.member_id == 2**64 - 1
    assert node.members is not None
    assert node.members[1] == etcdctl.MemberInfo(2, "", ("https://10.0.0.2:2380",), (), True)


def test_a_bare_node() -> None:
    node = parse("time 100\nuid 0\nunit LoadState=not-found ActiveState=inactive\n")
    assert not (node.active)
    assert not (node.healthy)
    assert not (node.data)
    assert not node.stale
    assert node.clock == observe.Clock(-1.0, 1.0)
    assert node.members is None


def test_a_crash_loop_is_not_active() -> None:
    assert not parse("unit ActiveState=activating SubState=auto-restart\n").active
    assert parse("unit ActiveState=activating SubState=start\n").active


def test_stale_is_what_was_installed_after_the_start() -> None:
    assert parse("unit ActiveState=active\nfingerprint a\nstarted_with b\n").stale
    assert not parse("unit ActiveState=inactive\nfingerprint a\nstarted_with b\n").stale


def test_a_failed_question_is_an_error() -> None:
    with pytest.raises(HostFailed, match="could not be looked at"):
        observe.parse("n1", Record(observe.STEP, "failed", rc=127, stderr=b"sh: not found"), 0, 1)


@given(st.binary(max_size=300))
def test_any_answer_is_read_without_a_traceback(data: bytes) -> None:
    record = Record(observe.STEP, "ok", stdout=b"status " + data + b"\nhealth " + data + b"\nmembers " + data)
    observe.parse("n1", record, 0.0, 1.0)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '[{"Status":{}}]', '{"members":[{}]}', '{"members":3}'])
def test_odd_json_is_no_answer(text: str) -> None:
    node = parse(f"status {text}\nmembers {text}\nhealth {text}\n")
    assert node.status is None
    assert not node.healthy


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"], ["busybox", "sh"]])
def test_the_question_runs_in_every_shell_and_always_succeeds(shell: list[str]) -> None:
    step = observe.step(Member("n1", "10.0.0.1", data_dir="/nowhere/at/all"))
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **step.env}
    try:
        done = subprocess.run([*shell, "-c", step.probe or ""], env=env, capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip(f"no {shell[0]} here")
    assert done.returncode == 0, done.stderr
    node = observe.parse("n1", Record(observe.STEP, "ok", stdout=done.stdout), 0.0, 1.0)
    assert node.arch
    assert node.machine_id
    assert node.free_opt
    assert node.free_data
    assert not node.data
