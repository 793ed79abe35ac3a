"""What every transport must do, as two suites: ``Conformance`` for all, ``OverSsh`` for those that speak SSH.

A test class inherits one and names its transport: ``class TestLocal(Conformance): name = "local"``.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from coreops.errors import UnreachableError
from coreops.model import Target
from coreops.transport import Connection, Transport

Factory = Callable[[str], Transport]
HOSTILE = ["it's", "a\nb", "$(id)", "`id`", "-n", "*", "ünï ☃", 'say "hi"', "back\\slash", "", " ", "!!", "%h", "~"]


def read_until(
    connection: Connection, done: Callable[[bytes, bytes], bool], timeout: float = 120.0
) -> tuple[bytes, bytes]:
    """Collect both streams until ``done(out, err)``."""
    out, err = bytearray(), bytearray()
    deadline = time.monotonic() + timeout
    while not done(bytes(out[-64:]), bytes(err[-64:])):
        chunk = connection.receive(max(0.0, deadline - time.monotonic()))
        assert chunk is not None, f"nothing more after {bytes(out[-200:])!r} {bytes(err[-200:])!r}"
        (out if chunk.stream == 1 else err).extend(chunk.data)
    return bytes(out), bytes(err)


def read_to_end(connection: Connection, timeout: float = 120.0) -> tuple[int, bytes, UnreachableError]:
    """Count stdout, keep stderr, return the error that ends every command."""
    count, err = 0, bytearray()
    deadline = time.monotonic() + timeout
    while True:
        try:
            chunk = connection.receive(max(0.0, deadline - time.monotonic()))
        except UnreachableError as error:
            return count, bytes(err), error
        assert chunk is not None, "the command did not end"
        count += len(chunk.data) if chunk.stream == 1 else 0
        err.extend(chunk.data if chunk.stream == 2 else b"")


class Conformance:
    """Every transport."""

    name: ClassVar[str]

    @pytest.fixture
    def target(self) -> Target:
        return Target(name="here", address="here")

    @pytest.fixture
    def run(self, transport: Factory, target: Target) -> Iterator[Callable[..., Connection]]:
        made: list[Connection] = []
        over = transport(self.name)

        def start(command: str, **changes: Any) -> Connection:
            made.append(over.open(Target(**{**fields(target), **changes}), command))
            return made[-1]

        yield start
        for connection in made:
            connection.close()

    def test_all_bytes_pass_both_ways(self, run: Callable[..., Connection]) -> None:
        every = bytes(range(256)) * 3
        connection = run("head -c 768; printf done >&2")
        connection.send(every)
        out, err = read_until(connection, lambda out, err: err == b"done" and len(out) == 64)
        assert out[-len(every) :] == every
        assert err == b"done"

    def test_stdout_and_stderr_stay_apart(self, run: Callable[..., Connection]) -> None:
        connection = run("printf out; printf err >&2; cat")
        assert read_until(connection, lambda out, err: bool(out) and bool(err)) == (b"out", b"err")

    def test_the_command_line_arrives_as_written(self, run: Callable[..., Connection]) -> None:
        connection = run(f"printf '<%s>' {shlex.join(HOSTILE)} end; cat")
        out, _ = read_until(connection, lambda out, err: out.endswith(b"<end>"))
        assert out.decode() == "".join(f"<{value}>" for value in [*HOSTILE, "end"])

    def test_much_goes_in_and_out_at_once(self, run: Callable[..., Connection]) -> None:
        size = 20 << 20
        data = os.urandom(size)
        connection = run("cat")
        connection.send(data)
        got = hashlib.sha256()
        while size > 0:
            chunk = connection.receive(120)
            assert chunk is not None
            got.update(chunk.data)
            size -= len(chunk.data)
        assert got.hexdigest() == hashlib.sha256(data).hexdigest()

    def test_receive_returns_none_after_the_timeout(self, run: Callable[..., Connection]) -> None:
        connection = run("cat")
        start = time.monotonic()
        assert connection.receive(0.2) is None
        assert 0.15 < time.monotonic() - start < 60
        assert connection.receive(0) is None

    def test_the_end_of_the_command_is_lost_with_its_status_and_stderr(self, run: Callable[..., Connection]) -> None:
        count, err, error = read_to_end(run("printf 123; echo sorry >&2; exit 3"))
        assert (count, err) == (3, b"sorry\n")
        assert error.kind == "lost"
        assert "exit status 3" in str(error.why)
        assert "sorry" in str(error.why)

    def test_a_command_that_kills_itself_is_lost(self, run: Callable[..., Connection]) -> None:
        error = read_to_end(run("kill -KILL $$"))[2]
        assert error.kind == "lost"
        assert "signal" in str(error.why)

    def test_a_child_that_holds_the_pipes_does_not_hold_us(self, run: Callable[..., Connection]) -> None:
        start = time.monotonic()
        error = read_to_end(run("sleep 120 & printf x; exit 0"))[2]
        assert error.kind == "lost"
        assert time.monotonic() - start < 100

    def test_a_command_that_is_not_there_is_a_shell_error(self, run: Callable[..., Connection]) -> None:
        error = read_to_end(run("exec /nonexistent/loader"))[2]
        assert error.kind == "shell"
        assert "nonexistent" in str(error.why)

    def test_sending_to_a_command_that_is_gone_is_lost(self, run: Callable[..., Connection]) -> None:
        connection = run("exit 4")
        with pytest.raises(UnreachableError) as caught:
            connection.send(b"x" * (32 << 20))
        assert caught.value.kind == "lost"

    def test_alive(self, run: Callable[..., Connection]) -> None:
        connection = run("cat")
        assert connection.alive(60)
        connection.close()
        assert not connection.alive(1)

    def test_aside_works_while_the_command_runs(self, run: Callable[..., Connection]) -> None:
        connection = run("echo $$; cat")
        pid, _ = read_until(connection, lambda out, err: out.endswith(b"\n"))
        assert connection.aside("printf '%s' side; echo no >&2; exit 7", 60) == (7, b"side")
        connection.send(b"still here\n")
        assert read_until(connection, lambda out, err: out.endswith(b"\n"))[0] == b"still here\n"
        assert connection.aside(f"kill {pid.decode().strip()}", 60)[0] == 0
        assert read_to_end(connection)[2].kind == "lost"

    def test_aside_from_another_thread_while_receiving(self, run: Callable[..., Connection]) -> None:
        connection = run("cat")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(connection.receive, 120)
            assert connection.aside("echo side", 60) == (0, b"side\n")
            assert connection.alive(60)
            connection.send(b"x")
            chunk = waiting.result(120)
        assert chunk is not None
        assert chunk.data == b"x"

    def test_aside_has_a_deadline(self, run: Callable[..., Connection]) -> None:
        connection = run("cat")
        with pytest.raises(UnreachableError):
            connection.aside("sleep 30", 0.5)
        assert connection.aside("echo again", 60) == (0, b"again\n")

    def test_close_is_quick_and_idempotent_and_wakes_a_reader(self, run: Callable[..., Connection]) -> None:
        connection = run("cat")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(read_to_end, connection, 120)
            start = time.monotonic()
            connection.close()
            connection.close()
            assert time.monotonic() - start < 60
            assert waiting.result(60)[2].kind == "lost"

    def test_close_ends_the_remote_command(self, run: Callable[..., Connection]) -> None:
        connection = run("echo $$; cat")
        pid = read_until(connection, lambda out, err: out.endswith(b"\n"))[0].decode().strip()
        connection.close()
        wait_for(lambda: not Path(f"/proc/{pid}").exists())

    def test_no_terminal(self, run: Callable[..., Connection]) -> None:
        connection = run("if [ -t 0 ] || [ -t 1 ] || [ -t 2 ]; then echo tty; else echo none; fi; cat")
        assert read_until(connection, lambda out, err: out.endswith(b"\n"))[0] == b"none\n"

    def test_a_flood_is_taken_in_bounded_memory(self, run: Callable[..., Connection]) -> None:
        connection = run("head -c 100000000 /dev/zero; cat")
        time_limit = time.monotonic() + 300
        before = _rss()
        got = 0
        while got < 100_000_000:
            chunk = connection.receive(max(0.0, time_limit - time.monotonic()))
            assert chunk is not None
            got += len(chunk.data)
        assert _rss() - before < 40 << 20


def wait_for(condition: Callable[[], bool], timeout: float = 120.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def fields(target: Target) -> dict[str, Any]:
    return {name: getattr(target, name) for name in Target.__dataclass_fields__}


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
