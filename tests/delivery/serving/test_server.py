"""Real requests over real connections."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from coreops.delivery.serving.answer import Rules
from coreops.delivery.serving.listen import Listen
from coreops.delivery.serving.server import Limits, Server
from coreops.errors import InputError
from tests.delivery.serving.machine import BIG, MAC, reset, running, site

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


def test_a_request_opens_no_file(tmp_path: Path) -> None:
    paths = [
        "/../audit.log",
        "/..%2faudit.log",
        "/%2e%2e/state/tickets.db",
        "/etc/passwd",
        "//etc/passwd",
        "/./n1.yaml",
    ]
    with running(site(BODIES), tmp_path) as one:
        for path in paths:
            assert one.get(path)[0] == 404
            assert one.get(f"/mac/{path}/user-data?mac={path}")[0] == 404


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


def test_slowloris(tmp_path: Path) -> None:
    limits = Limits(most=4, asking=30, patience=0.2)
    with running(site(BODIES), tmp_path, limits=limits) as one:
        slow = [one.raw() for _ in range(12)]
        for connection in slow:
            connection.sendall(b"GET /user-data HTTP/1.1\r\nX: ")
        began = time.monotonic()
        assert one.get(f"/user-data?mac={N1}")[0] == 200
        assert time.monotonic() - began < 10
        for connection in slow:
            connection.close()


def test_time_to_ask_is_for_the_whole_request(tmp_path: Path) -> None:
    with running(site(BODIES), tmp_path, limits=Limits(asking=0.3)) as one, one.raw() as connection:
        connection.sendall(b"GET /user-data HTTP/1.1\r\n")
        began = time.monotonic()
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.02):
                try:
                    connection.sendall(b"X: y\r\n")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        answer = received(connection)
        stop.set()
        thread.join()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 5
    assert one.entries()[0]["outcome"].startswith("timeout")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /user-data?x=" + b"y" * 20000 + b" HTTP/1.1\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4000 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /\r\n\r\n", b"400"),
        (b"GET  / HTTP/1.1 x\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"GET /%ff HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\n\n", b"400"),
        (b"G\xc3\xbcT / HTTP/1.1\r\n\r\n", b"405"),
        (b"POST /user-data HTTP/1.1\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500000, b"405"),
    ],
)
def test_what_is_no_request(tmp_path: Path, data: bytes, status: bytes) -> None:
    with running(site(BODIES), tmp_path) as one:
        with one.raw() as connection:
            connection.sendall(data)
            assert received(connection).split(b" ")[1] == status
        assert one.get(f"/user-data?mac={N1}")[0] == 200
    assert all(line.isascii() and line.isprintable() for line in one.log().splitlines())


@pytest.mark.parametrize("data", [b"", b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n"])
def test_half_a_request_is_none(tmp_path: Path, data: bytes) -> None:
    with running(site(BODIES, secret=("n1",)), tmp_path) as one:
        with one.raw() as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            assert received(connection)[:12] in (b"", b"HTTP/1.1 400")
        assert one.tickets.all() == {}


def test_noise_does_no_harm(tmp_path: Path) -> None:
    import random

    noise = random.Random(7)
    with running(site(BODIES), tmp_path) as one:
        for _ in range(60):
            with one.raw() as connection:
                connection.sendall(
                    b"GET /" * noise.randint(0, 1) + noise.randbytes(noise.randint(1, 400)) + b"\r\n\r\n"
                )
                connection.shutdown(socket.SHUT_WR)
                try:
                    received(connection)
                except ConnectionResetError:
                    continue  # it said more than anybody reads
        assert one.get(f"/user-data?mac={N1}")[0] == 200
    assert not [line for line in one.told if "bug" in line]
    assert len(one.entries()) >= 1


def test_nobody_writes_our_log(tmp_path: Path) -> None:
    evil = "a%0a%7b%22node%22%3a%22n1%22%7d%0d%1b%5b2J%e2%80%ae"
    with running(site(BODIES), tmp_path) as one:
        one.get(f"/user-data?mac={evil}&serial={evil}", headers={"User-Agent": "x", "Host": "evil\tmachine"})
        one.get(f"/{evil}")
        text = one.log()
        assert len(one.entries()) == len(text.splitlines()) == 2
        assert text.isascii()


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


def test_what_cannot_be_recorded_is_not_served(tmp_path: Path) -> None:
    with running(site(BODIES), tmp_path) as one:
        audit = one.service._audit
        assert audit is not None
        good = audit._handle
        with open("/dev/full", "wb") as full:
            audit._handle = full.fileno()
            assert one.get(f"/user-data?mac={N1}")[0] == 200
            assert any("nothing more is served" in line for line in one.told)
            assert one.get(f"/user-data?mac={N1}", patient=False)[0] == 503
            assert len([line for line in one.told if "nothing more" in line]) == 2
            audit._handle = good
        assert one.get(f"/user-data?mac={N1}", patient=False)[0] == 503
        one.idle()
        assert one.get(f"/user-data?mac={N1}")[0] == 200


def test_a_thousand_machines_at_once(tmp_path: Path) -> None:
    bodies = {f"n{number}": f"#cloud-config\nhostname: n{number}\n".encode() for number in range(1, 251)}
    most = Limits().most
    peak = 0

    async def ask(port: int, number: int) -> None:
        nonlocal peak
        node = number % 250 + 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /user-data?mac={MAC.format(node)} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        answer = await reader.read()
        peak = max(peak, threading.active_count())
        writer.close()
        await writer.wait_closed()
        assert answer.endswith(bodies[f"n{node}"])

    async def all_of_them(port: int) -> None:
        await asyncio.gather(*(ask(port, number) for number in range(1000)))

    with running(site(bodies), tmp_path) as one:
        before = threading.active_count()
        began = time.monotonic()
        asyncio.run(asyncio.wait_for(all_of_them(one.port), 60))
        assert time.monotonic() - began < 30
        assert peak <= before + most + 1
        wait_for(lambda: len(one.entries()) == 1000)


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


def received(connection: socket.socket) -> bytes:
    """All that the peer sends until it ends."""
    found = b""
    while data := connection.recv(65536):
        found += data
    return found


def wait_for(condition, seconds: float = 10) -> None:  # type: ignore[no-untyped-def]
    pause = threading.Event()
    for _ in range(int(seconds * 50)):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it did not come to pass")
