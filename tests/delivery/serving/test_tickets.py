"""What is given out once, over crashes and between servers."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from coreops.delivery.serving.tickets import FILE, Claim, Denied, Tickets
from coreops.errors import CoreopsError, InputError


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_once(tmp_path: Path) -> None:
    clock = Clock()
    with Tickets(tmp_path / "state", clock) as tickets:
        claim = tickets.begin("n1", "a", 0)
        assert isinstance(claim, Claim)
        assert tickets.begin("n1", "a", 0) == Denied(tickets.all()["n1"], busy=True)
        tickets.end(claim, "delivered")
        clock.now += 5
        denied = tickets.begin("n1", "a", 0)
        assert isinstance(denied, Denied)
        assert not denied.busy
        assert (denied.ticket.peer, denied.ticket.at, denied.ticket.state) == ("a", 1000.0, "served")


def test_the_same_peer_may_repeat_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    with Tickets(tmp_path, clock) as tickets:
        tickets.end(claimed(tickets, "a"), "delivered")
        clock.now += 30
        assert tickets.begin("n1", "a", 30) == Claim("n1", "")
        assert isinstance(tickets.begin("n1", "b", 30), Denied)
        clock.now += 1
        assert isinstance(tickets.begin("n1", "a", 30), Denied)
        clock.now = 0
        assert isinstance(tickets.begin("n1", "a", 30), Denied)


def test_what_was_not_sent_is_open_and_what_may_have_been_belongs_to_its_peer(tmp_path: Path) -> None:
    with Tickets(tmp_path) as tickets:
        tickets.end(claimed(tickets, "a"), "not sent")
        tickets.end(claimed(tickets, "b"), "in doubt")
        assert isinstance(tickets.begin("n1", "a", 60), Denied)
        tickets.end(claimed(tickets, "b"), "not sent")
        assert tickets.all()["n1"].state == "in doubt"
        tickets.end(claimed(tickets, "b"), "delivered")
        assert tickets.all()["n1"].state == "served"


def test_looking_claims_nothing(tmp_path: Path) -> None:
    with Tickets(tmp_path) as tickets:
        assert tickets.begin("n1", "a", 0, look=True) == Claim("n1", "")
        assert tickets.all() == {}


def test_a_token_belongs_to_its_node_until_another_is_issued(tmp_path: Path) -> None:
    with Tickets(tmp_path) as tickets:
        first = tickets.issue("n1")
        tickets.end(claimed(tickets, "a"), "delivered")
        owner = tickets.owner(first)
        assert owner is not None
        assert (owner.node, owner.state, len(owner.id)) == ("n1", "served", 8)
        second = tickets.issue("n1")
        assert tickets.owner(first) is None
        assert second != first
        assert tickets.all()["n1"].state == "open"


def test_issuing_again_while_it_is_sent(tmp_path: Path) -> None:
    with Tickets(tmp_path) as tickets:
        claim = claimed(tickets, "a")
        tickets.issue("n1")
        tickets.end(claim, "delivered")
        assert tickets.all()["n1"].state == "open"


def test_no_token_is_kept_and_nobody_else_may_read(tmp_path: Path) -> None:
    with Tickets(tmp_path / "state") as tickets:
        token = tickets.issue("n1")
        tickets.end(claimed(tickets, "a"), "delivered")
        for path in (tmp_path / "state").iterdir():
            assert token.encode() not in path.read_bytes()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_many_at_once_and_one_gets_it(tmp_path: Path) -> None:
    with Tickets(tmp_path) as tickets, Tickets(tmp_path) as others:
        found: list[object] = []
        start = threading.Barrier(20)

        def ask(number: int) -> None:
            start.wait()
            found.append((tickets, others)[number % 2].begin("n1", f"peer {number}", 0))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([each for each in found if isinstance(each, Claim)]) == 1
        assert all(each.busy for each in found if isinstance(each, Denied))


CODE = """
import sys
from pathlib import Path
from coreops.delivery.serving.tickets import Tickets
tickets = Tickets(Path(sys.argv[1]))
tickets.begin("n1", "a", 0)
print("sending", flush=True)
sys.stdin.read()
"""


def test_a_server_that_was_killed_while_it_sent(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CODE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"sending\n"
        with Tickets(tmp_path) as tickets:
            busy = tickets.begin("n1", "b", 0)
            assert isinstance(busy, Denied)
            assert busy.busy
        other.send_signal(signal.SIGKILL)
    with Tickets(tmp_path) as tickets:
        denied = tickets.begin("n1", "b", 0)
        assert isinstance(denied, Denied)
        assert not denied.busy
        tickets.end(claimed(tickets, "a"), "delivered")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("server-")] == []


def test_a_state_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database" * 100)
    with pytest.raises(InputError, match="cannot be kept"):
        Tickets(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--state"):
        Tickets(tmp_path / "file")


def test_a_state_that_breaks(tmp_path: Path) -> None:
    with Tickets(tmp_path) as tickets:
        base = sqlite3.connect(tmp_path / FILE)
        base.execute("DROP TABLE tickets")
        base.close()
        with pytest.raises(CoreopsError, match="cannot be read or written"):
            tickets.begin("n1", "a", 0)
    assert os.path.exists(tmp_path / FILE)


def claimed(tickets: Tickets, peer: str) -> Claim:
    found = tickets.begin("n1", peer, 0)
    assert isinstance(found, Claim)
    assert found.id
    return found
