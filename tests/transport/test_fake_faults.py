"""The faults of the fake transport."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from coreops.errors import UnreachableError
from coreops.model import Target
from coreops.transport.fake import FakeTransport, Fault
from tests.transport.conformance import read_to_end, read_until

N1 = Target(name="n1", address="n1", transport="fake")


def test_each_host_has_a_folder_of_its_own(tmp_path: Path) -> None:
    hosts = FakeTransport(tmp_path)
    connection = hosts.open(N1, 'echo "$HOME" "$COREOPS_ROOT" "$PWD"; cat')
    root = str(hosts.root("n1"))
    assert read_until(connection, lambda out, err: out.endswith(b"\n"))[0].decode().split() == [root] * 3
    connection.close()


def test_refused_only_the_first_time(tmp_path: Path) -> None:
    hosts = FakeTransport(tmp_path, {"n1": Fault(refuse="auth", times=1)})
    with pytest.raises(UnreachableError) as caught:
        hosts.open(N1, "cat")
    assert caught.value.kind == "auth"
    hosts.open(N1, "cat").close()
    assert hosts.attempts == {"n1": 2}


def test_dropped_after_bytes_and_before_a_marker(tmp_path: Path) -> None:
    done = tmp_path / "done"
    hosts = FakeTransport(tmp_path, {"n1": Fault(drop_after=4), "n2": Fault(drop_before=b"two")})
    count, _, error = read_to_end(hosts.open(N1, "printf 123456; cat"))
    assert (count, error.kind) == (4, "lost")
    n2 = Target(name="n2", address="n2")
    count, _, error = read_to_end(hosts.open(n2, f"printf one; touch {done}; sleep 0.2; printf tw; printf o; cat"))
    assert (count, error.kind) in ((3, "lost"), (4, "lost"), (5, "lost"))
    assert done.exists()
    for connection in hosts.opened:
        with pytest.raises(UnreachableError):
            connection.send(b"x")
        assert not connection.alive(1)
        connection.close()


def test_frozen_until_thawed(tmp_path: Path) -> None:
    frozen = threading.Event()
    frozen.set()
    connection = FakeTransport(tmp_path, {"n1": Fault(frozen=frozen)}).open(N1, "echo up; cat")
    assert connection.receive(0.05) is None
    assert not connection.alive(1)
    frozen.clear()
    assert read_until(connection, lambda out, err: out == b"up\n")
    connection.close()


def test_flood_and_delay(tmp_path: Path) -> None:
    connection = FakeTransport(tmp_path, {"n1": Fault(flood=200_000, delay=0.001)}).open(N1, "printf end; cat")
    out, err = read_until(connection, lambda out, err: out == b"end")
    assert (out, len(err)) == (b"end", 200_000)
    connection.close()
