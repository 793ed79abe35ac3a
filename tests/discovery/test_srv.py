"""SRV records: packets, a real DNS server, and real etcd members that begin by them."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cli._dispatch import dispatch
from coreops.discovery import dns, srv
from coreops.discovery.srv import Found, faults
from coreops.errors import CoreopsError, InputError
from tests.discovery.endpoint import Etcds, addresses, wait_for

ID = 7


def packet(*records: tuple[int, bytes], flags: int = 0x8180, id: int = ID) -> bytes:
    """An answer to a question about x.example; names in it point back at the question."""
    head = struct.pack(">6H", id, flags, 1, len(records), 0, 0) + b"\x01x\x07example\0" + struct.pack(">2H", 33, 1)
    return head + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data for kind, data in records)


def test_answers() -> None:
    srv_data = struct.pack(">3H", 0, 0, 2380) + b"\x02n1\xc0\x0e"
    assert dns.answer(packet((33, srv_data), (5, b"\0")), "SRV", ID).values == ("n1.example:2380",)
    assert dns.answer(packet((1, bytes([192, 0, 2, 1]))), "A", ID).values == ("192.0.2.1",)
    assert dns.answer(packet((28, bytes(15) + b"\1")), "AAAA", ID).values == ("::1",)
    assert dns.answer(packet(flags=0x8183), "A", ID).values == ()
    assert dns.answer(packet(flags=0x8380), "A", ID).cut


@pytest.mark.parametrize(
    "data",
    [packet(id=8), packet(flags=0x0100), packet(flags=0x8182), packet((1, b"abc")), packet((33, b"")), b"", b"x" * 11,
     struct.pack(">6H", ID, 0x8180, 1, 0, 0, 0) + b"\xc0\x0c" + bytes(4)],
)  # fmt: skip
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(dns.Malformed):
        dns.answer(data, "A" if b"abc" in data else "SRV", ID)


@given(st.binary(max_size=200))
def test_any_bytes_end(data: bytes) -> None:
    with suppress(dns.Malformed):
        dns.answer(struct.pack(">6H", ID, 0x8180, 1, 2, 0, 0) + data, "SRV", ID)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64, "ü.example", ".", "a." * 200])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name in DNS"):
        dns.question(name, "A", ID)


MEMBERS = {f"n{i}": frozenset({f"192.0.2.{i}"}) for i in (1, 2)}


def record(number: int, host: str = "", service: str = "etcd-server") -> Found:
    return Found(service, f"http://n{number}:2380", (f"192.0.2.{number}",), host)


def test_what_must_be_so() -> None:
    assert list(faults([record(1, "n1"), record(2, "n2")], MEMBERS)) == []
    assert list(faults([], MEMBERS)) == ["there is no record"]
    assert "n2 (192.0.2.2) has no record" in list(faults([record(1, "n1")], MEMBERS))
    assert any("which no member has" in each for each in faults([record(9)], MEMBERS))
    assert any("are both n1" in each for each in faults([record(1, "n1"), record(3, "n1")], MEMBERS))
    assert any("no address" in each for each in faults([Found("x", "http://a:1", ())], MEMBERS))
    assert any("TLS" in each for each in faults([record(1, "n1"), record(2, "n2", "etcd-server-ssl")], MEMBERS))


def test_name_servers(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# x\nsearch a\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nnameserver\n")
    assert srv.servers(file) == (("192.0.2.53", 53), ("2001:db8::53", 53))
    for text in ("", "search a\n"):
        file.write_text(text)
        with pytest.raises(InputError, match="no name server"):
            srv.servers(file)


@contextmanager
def name_server(host: str, *options: str) -> Iterator[None]:
    """Debian's dnsmasq, that knows nothing but what it is told."""
    program = shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None or os.geteuid() != 0:
        pytest.skip("needs root and dnsmasq: apt-get install dnsmasq-base")
    argv = [program, "--keep-in-foreground", "--no-resolv", "--no-hosts", "--bind-interfaces", "--conf-file=/dev/null"]
    argv += [f"--listen-address={host}", "--except-interface=none", "--pid-file", "--user=root", *options]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:

        def up() -> bool:
            assert process.poll() is None
            try:
                return srv.look("up.example", "A", [(host, 53)]) == ("192.0.2.1",)
            except CoreopsError:
                return False

        wait_for(up)
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_real_members_begin_by_real_records(
    shipped_etcd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = Etcds(shipped_etcd, tmp_path)
    free = addresses()
    names, dns_host = ("n1", "n2", "n3"), next(free)
    for name in names:
        nodes.hosts[name] = next(free)
    told = ["--host-record=up.example,192.0.2.1", "--local=/example/", "--local=/example.net/"]
    told += [f"--srv-host=_etcd-server._tcp.example.net,{name}.example.net,2380" for name in names]
    told += [f"--host-record={name}.example.net,{nodes.hosts[name]}" for name in names]
    inventory = tmp_path / "hosts.yml"

    def look(*hosts: str) -> tuple[int, str, str]:
        lines = "".join(f"        {name}: {{private_ipv4: {nodes.hosts[name]}}}\n" for name in hosts)
        inventory.write_text(f"all:\n  children:\n    store:\n      hosts:\n{lines}")
        code = dispatch(["discovery", "srv", "example.net", "-i", str(inventory), "--server", dns_host])
        said = capsys.readouterr()
        return code, said.out, said.err

    with name_server(dns_host, *told):
        code, out, err = look(*names)
        assert (code, len(out.splitlines())) == (0, 3), err
        code, out, err = look("n1", "n2")
        assert code == 1
        assert f"http://n3.example.net:2380 is at {nodes.hosts['n3']}, which no member has" in err
        resolv = tmp_path / "resolv.conf"
        resolv.write_text(f"nameserver {dns_host}\n")
        wrapper = tmp_path / "etcd"
        wrapper.write_text(
            f'#!/bin/sh\nexec unshare -m sh -c \'mount --bind {resolv} "$(readlink -f /etc/resolv.conf)" && exec "$@"\''
            f' sh {shipped_etcd} "$@" --initial-cluster= --discovery-srv example.net\n'
        )
        wrapper.chmod(0o755)
        nodes.binary = wrapper
        try:
            for name in names:
                url = f"http://{name}.example.net:2380"
                nodes.start(name, "", "--initial-advertise-peer-urls", url, "--initial-cluster-token", "prod")
            wait_for(lambda: all(nodes.healthy(name) for name in names), 60)
            assert nodes.members("n1") == set(names)
        finally:
            nodes.close()
