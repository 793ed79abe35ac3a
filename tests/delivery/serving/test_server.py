"""Real requests over real connections."""

from __future__ import annotations

import errno
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from coreops.delivery.serving.answer import Rules
from coreops.delivery.serving.server import Limits, Server
from coreops.errors import InputError
from coreops.serving.listen import Listen
from tests.delivery.serving.machine import BIG, MAC, received, reset, running, site, wait_for

N1, N2 = MAC.format(1), MAC.format(2)
BODIES = {"n1": b"#cloud-config\nhostname: n1\n", "n2": b"#cloud-config\nhostname: n2\n"}
TOKEN = "0123456789abcdef0123456789abcdef"


def test_each_machine_gets_its_own(tmp_path: Path) -> None:
    with running(site(BODIES), tmp_path) as one:
        for path in (f"/user-data?mac={N1}", f"/mac/{N1}/cloud-config"):
            status, body, headers = one.get(path)
            assert (status, body) == (200, BODIES["n1"])
            assert headers["content-type"].startswith("text/cloud-config")
            assert headers["server"] == "coreops"
        assert one.get(f"/user-data?mac={N2}")[1] == BODIES["n2"]
        assert one.get("/user-data?mac=525400000003")[0] == 404
    rows = {each["selector"]: each["outcome"] for each in one.entries()}
    assert rows == {f"mac {N1}": "served", f"mac {N2}": "served", "mac 525400000003": "unknown machine"}


def test_head_and_not_modified(tmp_path: Path) -> None:
    with running(site(BODIES), tmp_path) as one:
        path = f"/user-data?mac={N1}"
        status, body, headers = one.get(path, method="HEAD")
        assert (status, body, headers["content-length"]) == (200, b"", str(len(BODIES["n1"])))
        assert one.get(path, headers={"If-None-Match": headers["etag"]})[:2] == (304, b"")
        assert one.get(path, headers={"If-None-Match": '"other"'})[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_other_methods(tmp_path: Path, method: str) -> None:
    with running(site(BODIES), tmp_path) as one:
        status, _, headers = one.get(f"/user-data?mac={N1}", method=method)
        assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_secrets_are_served_once(tmp_path: Path) -> None:
    path = f"/user-data?mac={N1}"
    with running(site(BODIES, secret=("n1",)), tmp_path) as one:
        assert one.get(path, method="HEAD")[0] == 200
        assert one.get(path, headers={"If-None-Match": "*"})[:2] == (200, BODIES["n1"])
        status, body, headers = one.get(path, peer="127.0.0.2")
        assert (status, headers["cache-control"]) == (410, "no-store")
        assert BODIES["n1"] not in body
        assert b"127.0.0.1" not in body
        assert one.get(path, method="HEAD")[0] == 410
        assert one.get(f"/meta-data?mac={N1}")[0] == one.get(f"/vendor-data?mac={N1}")[0] == 200
        assert any("127.0.0.2 was refused: served before to 127.0.0.1 on " in line for line in one.told)
        assert any("reissue n1" in line for line in one.told)
        one.tickets.issue("n1")
        assert one.get(path)[0] == 200
        assert one.get(f"/user-data?mac={N2}")[0] == one.get(f"/user-data?mac={N2}")[0] == 200


def test_a_token_works_once_and_is_in_no_log(tmp_path: Path) -> None:
    with running(site(BODIES), tmp_path, Rules(require_token=True)) as one:
        token = one.tickets.issue("n1")
        assert one.get(f"/user-data?mac={N1}")[0] == 403
        assert one.get(f"/user-data?token={TOKEN}")[0] == 404
        assert one.get(f"/token/{token}/meta-data")[0] == 200
        assert one.get(f"/token/{token}/userdata")[0] == 404
        assert one.get(f"/{token}?x={token}")[0] == 404
        assert one.get(f"/mac/{token}/user-data?token={token}")[:2] == (200, BODIES["n1"])
        assert one.get(f"/token/{token}/user-data")[0] == 410
        assert one.get(f"/token/{token}/vendor-data")[0] == 200
        assert token in one.get(f"/ipxe?token={token}")[1].decode()
        log = one.log() + "\n".join(one.told)
        assert token not in log
        assert "hostname" not in log
        assert [each["token"] for each in one.entries()].count(one.tickets.all()["n1"].id) >= 6


def test_grace(tmp_path: Path) -> None:
    with running(site(BODIES, secret=("n1",)), tmp_path, Rules(grace=60)) as one:
        path = f"/user-data?mac={N1}"
        assert one.get(path)[0] == one.get(path)[0] == 200
        assert one.get(path, peer="127.0.0.2")[0] == 410
        assert {each["outcome"] for each in one.entries() if each["status"] == 200} == {"served", "served again"}


@pytest.mark.parametrize("leave", [reset, socket.socket.close])
def test_cut_off_in_the_middle(tmp_path: Path, leave: object) -> None:
    path = f"/user-data?mac={N1}"
    with running(site({"n1": BIG}, secret=("n1",)), tmp_path) as one:
        connection = one.raw()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        assert len(connection.recv(1000)) > 0
        assert one.get(path, peer="127.0.0.2", patient=False)[0] == 503
        leave(connection)  # type: ignore[operator]
        assert one.settled("n1") == "in doubt"
        assert one.get(path, peer="127.0.0.2")[0] == 410
        assert one.get(path)[:2] == (200, BIG)
        assert one.settled("n1") == "served"
        assert one.get(path)[0] == 410
    outcomes = [each["outcome"] for each in one.entries()]
    assert "cut off" in outcomes
    assert "being sent to 127.0.0.1" in outcomes


def test_gone_before_the_first_byte(tmp_path: Path) -> None:
    with running(site(BODIES, secret=("n1",)), tmp_path) as one:
        for _ in range(20):
            connection = one.raw()
            connection.sendall(f"GET /user-data?mac={N1} HTTP/1.1\r\n\r\n".encode())
            reset(connection)
        wait_for(lambda: len(one.entries()) >= 20)
        # Each of them was one peer's: whatever became of them, it may ask again, unless it had it all.
        assert one.settled("n1") in ("open", "in doubt")
        assert one.get(f"/user-data?mac={N1}")[0] == 200


def test_a_peer_that_keeps_the_connection_open_has_it(tmp_path: Path) -> None:
    with running(site(BODIES, secret=("n1",)), tmp_path, limits=Limits(confirming=0.1)) as one, one.raw() as connection:
        connection.sendall(f"GET /user-data?mac={N1} HTTP/1.1\r\n\r\n".encode())
        assert BODIES["n1"] in received(connection)
        assert one.settled("n1") == "served"


def test_a_peer_that_says_its_last_word_before_it_has_it(tmp_path: Path) -> None:
    body = b"x" * 60_000
    with running(site({"n1": body}, secret=("n1",)), tmp_path) as one:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", one.port))
        connection.sendall(f"GET /user-data?mac={N1} HTTP/1.1\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100)
        reset(connection)
        assert one.settled("n1") == "in doubt"
        with one.raw() as again:
            again.sendall(f"GET /user-data?mac={N1} HTTP/1.1\r\n\r\n".encode())
            again.shutdown(socket.SHUT_WR)
            assert received(again).endswith(body)
        assert one.settled("n1") == "served"


def test_over_ipv6(tmp_path: Path) -> None:
    with running(site(BODIES), tmp_path) as one:
        try:
            server = Server(Listen("::1", 0), one.service)
        except InputError as error:
            pytest.skip(f"no IPv6 here: {error.why}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with socket.create_connection(("::1", server.server_address[1]), 20) as connection:
            connection.sendall(f"GET /ipxe?mac={N1} HTTP/1.1\r\n\r\n".encode())
            assert f"=http://[::1]:{server.server_address[1]}/mac/".encode() in received(connection)
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_host_header_gets_into_a_script_only_as_an_address(tmp_path: Path) -> None:
    with running(site(BODIES), tmp_path) as one:
        told = {
            host: one.get(f"/ipxe?mac={N1}", headers={"Host": host})[1]
            for host in ("boot.example.net:81", "a b;reboot")
        }
        assert b"=http://boot.example.net:81/mac/" in told["boot.example.net:81"]
        assert f"=http://127.0.0.1:{one.port}/mac/".encode() in told["a b;reboot"]
    with running(site(BODIES), tmp_path, url="https://cfg.example.net/x/") as one:
        assert b"=https://cfg.example.net/x/mac/" in one.get(f"/ipxe?mac={N1}")[1]


def test_the_old_render_or_the_new_one(tmp_path: Path) -> None:
    kinds = [site({"n1": letter * 300_000}) for letter in (b"a", b"b")]
    seen: set[bytes] = set()
    with running(kinds[0], tmp_path) as one:
        stop = threading.Event()

        def swap() -> None:
            number = 0
            while not stop.wait(0.001):
                number += 1
                one.service.site = kinds[number % 2]

        thread = threading.Thread(target=swap)
        thread.start()
        for _ in range(30):
            body = one.get(f"/user-data?mac={N1}")[1]
            assert body in (b"a" * 300_000, b"b" * 300_000)
            seen.add(body)
        stop.set()
        thread.join()
    assert len(seen) == 2


def test_curl(tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed (apt-get install curl)")
    with running(site(BODIES, secret=("n1",)), tmp_path) as one:
        url = f"http://127.0.0.1:{one.port}/user-data?mac={N1}"
        argv = [curl, "--fail", "--silent", "--show-error", "--noproxy", "*", url]
        done = subprocess.run(argv, capture_output=True, timeout=20, check=True)
        assert done.stdout == BODIES["n1"]
        assert one.settled("n1") == "served"
        assert b"410" in subprocess.run(argv, capture_output=True, timeout=20).stderr


def test_an_address_that_cannot_be_had(tmp_path: Path) -> None:
    with running(site(BODIES), tmp_path) as one:
        for where, said in (
            (Listen("127.0.0.1", one.port), "another program"),
            (Listen("192.0.2.77", 0), "does not have"),
        ):
            with pytest.raises(InputError) as caught:
                Server(where, one.service)
            assert said in str(caught.value)


def test_a_port_that_is_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Server, "server_bind", refuse)
    with pytest.raises(InputError, match="ports below 1024 are for root"):  # noqa: SIM117
        with running(site(BODIES), tmp_path):
            pass
