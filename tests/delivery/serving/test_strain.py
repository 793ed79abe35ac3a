"""What strangers do to a server: slow, many, malformed, hostile."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest

from coreops.delivery.serving.server import Limits
from tests.delivery.serving.machine import MAC, received, running, site, wait_for

pytestmark = pytest.mark.slow

N1 = MAC.format(1)
BODIES = {"n1": b"#cloud-config\nhostname: n1\n", "n2": b"#cloud-config\nhostname: n2\n"}


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


def test_slowloris(tmp_path: Path) -> None:
    limits = Limits(most=4, asking=600, patience=0.2)
    with running(site(BODIES), tmp_path, limits=limits) as one:
        slow = [one.raw() for _ in range(12)]
        for connection in slow:
            connection.sendall(b"GET /user-data HTTP/1.1\r\nX: ")
        began = time.monotonic()
        assert one.get(f"/user-data?mac={N1}")[0] == 200
        assert time.monotonic() - began < 60
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
        assert time.monotonic() - began < 60
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
        asyncio.run(asyncio.wait_for(all_of_them(one.port), 300))
        assert peak <= before + most + 1
        wait_for(lambda: len(one.entries()) == 1000)
