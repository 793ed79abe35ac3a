"""The part of the conformance suite for transports that speak SSH: host keys, failures by stage, jumps, sudo."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from coreops.errors import InputError, UnreachableError
from coreops.model import Target
from coreops.transport import Connection
from tests.support.sshd import Sshd, keypair
from tests.transport.conformance import Conformance, read_to_end, read_until


class OverSsh(Conformance):
    """Transports that speak SSH, against a real sshd."""

    @pytest.fixture
    def target(self, sshd: Sshd) -> Target:
        return sshd.target()

    def refused(self, run: Callable[..., Connection], **changes: Any) -> UnreachableError:
        with pytest.raises(UnreachableError) as caught:
            run("cat", **changes)
        assert caught.value.where == "here"
        assert caught.value.why
        assert caught.value.next
        assert "127.0.0.1" not in caught.value.what
        return caught.value

    def test_unknown_host_key(self, run: Callable[..., Connection], sshd: Sshd, tmp_path: Path) -> None:
        error = self.refused(run, known_hosts=(tmp_path / "none",))
        assert (error.kind, error.what) == ("host key", "host key is unknown")
        assert _fingerprint(sshd) in str(error.why)
        assert str(tmp_path / "none") in str(error.why)
        assert "--accept-new" in str(error.next)

    def test_accept_new_records_the_key_once(self, run: Callable[..., Connection], sshd: Sshd, tmp_path: Path) -> None:
        files = (tmp_path / "first", tmp_path / "second")
        run("cat", known_hosts=files, accept_new=True).close()
        run("cat", known_hosts=files, accept_new=True).close()
        assert files[0].read_text() == sshd.line()
        assert not files[1].exists()
        assert run("cat", known_hosts=files).alive(60)

    @pytest.mark.parametrize("accept_new", [False, True])
    def test_changed_host_key(
        self, run: Callable[..., Connection], sshd: Sshd, tmp_path: Path, accept_new: bool
    ) -> None:
        known = tmp_path / "known"
        other = keypair(tmp_path / "other")
        known.write_text("# comment\n" + sshd.line(other))
        error = self.refused(run, known_hosts=(known,), accept_new=accept_new)
        assert (error.kind, error.what) == ("host key", "host key has changed")
        assert f"{known}:2" in str(error.why)
        assert _fingerprint(sshd) in str(error.why)
        assert _fingerprint(sshd, other) in str(error.why)
        assert known.read_text() == "# comment\n" + sshd.line(other)

    @pytest.mark.parametrize("accept_new", [False, True])
    def test_revoked_host_key(
        self, run: Callable[..., Connection], sshd: Sshd, tmp_path: Path, accept_new: bool
    ) -> None:
        known = tmp_path / "known"
        known.write_text(sshd.line() + "@revoked * " + sshd.line().split(" ", 1)[1])
        error = self.refused(run, known_hosts=(known,), accept_new=accept_new)
        assert (error.kind, error.what) == ("host key", "host key is revoked")

    def test_wrong_user_key(self, run: Callable[..., Connection], tmp_path: Path) -> None:
        error = self.refused(run, identity_files=(keypair(tmp_path / "stranger"),))
        assert (error.kind, error.what) == ("auth", "no key was accepted")

    def test_missing_key_file_is_bad_input(self, run: Callable[..., Connection], tmp_path: Path) -> None:
        with pytest.raises(InputError, match="key file"):
            run("cat", identity_files=(tmp_path / "none",))

    def test_closed_port(self, run: Callable[..., Connection]) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            error = self.refused(run, port=unused.getsockname()[1])
        assert (error.kind, error.what) == ("tcp", "connection refused")

    def test_unresolvable_name(self, run: Callable[..., Connection]) -> None:
        error = self.refused(run, address="no-such-host.invalid", connect_timeout=20.0)
        assert (error.kind, error.what) == ("dns", "host name does not resolve")

    def test_a_listener_that_never_answers(self, run: Callable[..., Connection]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            start = time.monotonic()
            error = self.refused(run, port=silent.getsockname()[1], connect_timeout=1.0)
        assert (error.kind, error.what) == ("timeout", "no answer from an SSH server")
        assert time.monotonic() - start < 60

    def test_a_listener_that_speaks_something_else(self, run: Callable[..., Connection]) -> None:
        with answering(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n<html>\r\n") as port:
            error = self.refused(run, port=port)
        assert (error.kind, error.what) == ("key exchange", "not an SSH server")

    def test_a_listener_that_hangs_up(self, run: Callable[..., Connection]) -> None:
        with answering(b"") as port:
            error = self.refused(run, port=port, connect_timeout=60.0)
        assert (error.kind, error.what) == ("tcp", "connection reset")

    def test_no_common_algorithm(self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd]) -> None:
        server = new_sshd("Ciphers 3des-cbc", "MACs hmac-sha1")
        error = self.refused(run, port=server.port, known_hosts=(server.known_hosts,), identity_files=(server.key,))
        assert (error.kind, error.what) == ("key exchange", "key exchange failed")

    def test_switching_host_key_checks_off_is_refused(self, run: Callable[..., Connection]) -> None:
        with pytest.raises(InputError, match="StrictHostKeyChecking"):
            run("cat", ssh_args=("-o", "StrictHostKeyChecking=no"))

    def test_jump_through_a_second_server(self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd]) -> None:
        jump = new_sshd("AllowTcpForwarding yes")
        known = self.both(jump, run)
        connection = run("echo through; cat", **known)
        assert read_until(connection, lambda out, err: out == b"through\n")
        assert connection.aside("echo side", 60) == (0, b"side\n")
        assert connection.alive(60)
        assert "session opened" in (log := (jump.folder / "log").read_text()) or "Accepted publickey" in log

    def test_jump_through_two_servers(self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd]) -> None:
        first = new_sshd()
        second = new_sshd(key=first.key)
        known = self.both(first, run)
        files = (*known["known_hosts"], second.known_hosts)
        jumps = f"{known['proxy_jump']},{second.user}@127.0.0.1:{second.port}"
        connection = run("echo through; cat", **{**known, "known_hosts": files, "proxy_jump": jumps})
        assert read_until(connection, lambda out, err: out == b"through\n")

    def test_many_through_one_jump(self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd]) -> None:
        known = self.both(new_sshd("MaxStartups 100"), run)
        with ThreadPoolExecutor(6) as pool:
            opened = list(pool.map(lambda number: run(f"echo {number}; cat", **known), range(6)))
            answers = list(pool.map(lambda c: read_until(c, lambda out, err: out.endswith(b"\n"))[0], opened))
        assert answers == [b"%d\n" % number for number in range(6)]

    def test_jump_failures_are_said_of_the_jump(
        self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd]
    ) -> None:
        jump = new_sshd("AllowTcpForwarding no")
        known = self.both(jump, run)
        assert self.refused(run, **known).kind == "proxy"
        jump.stop()
        error = self.refused(run, **known)
        assert (error.kind, error.what) == ("proxy", "jump host: connection refused")
        error = self.refused(run, **{**known, "proxy_jump": "jump.invalid"})
        assert (error.kind, error.what) == ("proxy", "jump host: host name does not resolve")

    def both(self, jump: Sshd, run: Callable[..., Connection]) -> dict[str, Any]:
        """Settings to go through ``jump``: both servers trusted, both keys offered."""
        own = self.own
        return {
            "proxy_jump": f"{jump.user}@127.0.0.1:{jump.port}",
            "known_hosts": (own.known_hosts, jump.known_hosts),
            "identity_files": (own.key, jump.key),
        }

    @pytest.fixture(autouse=True)
    def _own(self, sshd: Sshd) -> None:
        self.own = sshd

    def test_a_frozen_server_is_not_alive(self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd]) -> None:
        server = new_sshd()
        connection = run("cat", **_at(server))
        assert connection.alive(60)
        server.freeze()
        start = time.monotonic()
        assert not connection.alive(0.5)
        assert time.monotonic() - start < 60
        server.thaw()
        assert connection.alive(60)

    def test_a_dropped_connection_is_lost(self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd]) -> None:
        server = new_sshd()
        connection = run("echo up; cat", **_at(server))
        read_until(connection, lambda out, err: out == b"up\n")
        server.drop()
        assert read_to_end(connection)[2].kind == "lost"
        assert not connection.alive(1)
        with pytest.raises(UnreachableError):
            connection.aside("true", 5)

    def test_fifty_at_once_with_the_default_limits(
        self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd]
    ) -> None:
        server = new_sshd("MaxStartups 10:30:100")
        with ThreadPoolExecutor(50) as pool:
            opened = list(
                pool.map(lambda number: run(f"echo {number}; cat", **_at(server), connect_timeout=60.0), range(50))
            )
        for number, connection in enumerate(opened):
            assert read_until(connection, lambda out, err: out.endswith(b"\n"))[0] == b"%d\n" % number
            connection.close()

    def test_sudo_that_fails(
        self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd], tmp_path: Path
    ) -> None:
        folder = fake_sudo(tmp_path, "")
        server = new_sshd(f"SetEnv PATH={folder}:/usr/bin:/bin SHLVL=2")
        for said, status, what in (
            ("sudo: a password is required", 1, "sudo asks for a password"),
            ("core is not in the sudoers file.", 1, "sudo refuses this user"),
            ("bash: line 1: sudo: command not found", 127, "sudo is not installed"),
        ):
            (folder / "sudo").write_text(f"#!/bin/sh\necho {said!r} >&2\nexit {status}\n")
            error = read_to_end(run("cat", **_at(server), become=True))[2]
            assert (error.kind, error.what) == ("sudo", what)

    def test_the_sudo_password_is_given_once_and_shown_nowhere(
        self, run: Callable[..., Connection], new_sshd: Callable[..., Sshd], tmp_path: Path
    ) -> None:
        server = new_sshd(f"SetEnv PATH={fake_sudo(tmp_path, ASKING_SUDO)}:/usr/bin:/bin SHLVL=2")
        start = {**_at(server), "become": True}
        connection = run("printf ready; cat", **start, become_password="s3cret word")
        connection.send(b"payload\n")
        out, err = read_until(connection, lambda out, err: out.endswith(b"\n"))
        assert (out, err) == (b"readypayload\n", b"")
        assert not any(b"s3cret" in command for command in _command_lines())
        assert connection.aside("echo side", 60) == (0, b"side\n")
        error = self.refused(run, **start, become_password="wrong")
        assert (error.kind, error.what) == ("sudo", "sudo rejected the password")
        assert "wrong" not in str(error)
        assert (tmp_path / "bin" / "tries").read_text().count("wrong") == 1


ASKING_SUDO = """
[ "$1" = -S ] || { echo 'sudo: a password is required' >&2; exit 1; }
prompt=$3
shift 4
printf %s "$prompt" >&2
IFS= read -r word || { echo >&2; echo 'sudo: no password was provided' >&2; exit 1; }
echo "$word" >> "${0%/*}/tries"
[ "$word" = 's3cret word' ] || { echo 'Sorry, try again.' >&2; printf %s "$prompt" >&2; read -r word; exit 1; }
exec "$@"
"""


def fake_sudo(folder: Path, script: str) -> Path:
    """A program called sudo that behaves like the real one in one respect."""
    path = folder / "bin" / "sudo"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path.parent


@contextlib.contextmanager
def answering(words: bytes) -> Iterator[int]:
    """A server that says ``words`` to everyone and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    peer, _ = server.accept()
                    with peer:
                        peer.sendall(words)
                        peer.shutdown(socket.SHUT_WR)
                        peer.settimeout(60)
                        while peer.recv(4096):
                            pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        with contextlib.suppress(OSError):
            socket.create_connection(server.getsockname(), 1).close()
        thread.join()


def _at(server: Sshd) -> dict[str, Any]:
    return {"port": server.port, "known_hosts": (server.known_hosts,), "identity_files": (server.key,)}


def _fingerprint(sshd: Sshd, key: Path | None = None) -> str:
    import base64

    from coreops.transport.hostkeys import fingerprint

    return fingerprint(base64.b64decode(sshd.line(key).split()[2]))


def _command_lines() -> list[bytes]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return found
