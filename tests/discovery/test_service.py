"""Requests over real connections, as etcd's client puts them."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coreops.discovery.ledger import Ledger
from tests.discovery.endpoint import QUERY, Endpoint, endpoint, wait_for


def made(one: Endpoint, size: int = 3) -> str:
    """The path of a new token. The server is done with who asked for it: nobody takes that one for a waiting one."""
    found = one.ask("GET", f"/new?size={size}")
    assert found.status == 200
    assert found.body.decode().startswith(f"{one.url}/")
    wait_for(lambda: not one.server.slots._places)
    return found.body.decode().removeprefix(one.url)


def put(one: Endpoint, token: str, number: int) -> int:
    return one.ask("PUT", f"{token}/a{number}?prevExist=false", f"n{number}=http://127.0.0.1:{2000 + number}").status


def test_from_nothing_to_a_cluster(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        token = made(one)
        assert one.ask("GET", f"{token}/_config/size").json["node"]["value"] == "3"
        assert "nodes" not in one.ask("GET", f"{token}?{QUERY}").json["node"]
        assert [put(one, token, number) for number in (1, 2)] == [201, 201]
        two = one.ask("GET", f"{token}?{QUERY}")
        assert [each["value"][:2] for each in two.json["node"]["nodes"]] == ["n1", "n2"]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(one.ask, "GET", f"{token}?wait=true&waitIndex={(two.index or 0) + 1}&recursive=true")
            assert put(one, token, 3) == 201
            news = waiting.result(120).json
        assert (news["action"], news["node"]["value"]) == ("create", "n3=http://127.0.0.1:2003")
        # The last one is told by the wait, not by the list: nobody may find a full list that he is not on.
        all_but_one = one.ask("GET", f"{token}?{QUERY}")
        assert len(all_but_one.json["node"]["nodes"]) == 2
        last = one.ask("GET", f"{token}?wait=true&waitIndex={(all_but_one.index or 0) + 1}&recursive=true")
        assert last.json["node"]["key"].endswith("/a3")
        assert len(one.ask("GET", token).json["node"]["nodes"]) == 3
        assert one.ask("GET", f"{token}/a1").json["node"]["value"] == "n1=http://127.0.0.1:2001"
    assert any("n3 registered from 127.0.0.1, all are here" in line for line in one.told)


def test_one_too_many_is_refused_and_named(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        token = made(one, 1)
        assert put(one, token, 1) == 201
        for _ in range(3):
            refused = one.ask("PUT", f"{token}/a2?prevExist=false", "n2=http://127.0.0.1:2002")
            assert refused.status == 403
            assert refused.json["errorCode"] == 103
        assert [(each.name, each.times) for each in one.ledger.all()[0].refusals] == [("n2", 3)]
        assert put(one, token, 1) == 412
        assert one.ask("DELETE", f"{token}/a1").status == 405
        entry = next(each for each in one.entries() if each["node"] == "n2")
        assert (entry["status"], entry["peer"], entry["method"]) == (403, "127.0.0.1", "PUT")
        assert "refused: all 1 members" in str(entry["outcome"])
    assert any("REFUSED n2 (a2) from 127.0.0.1" in line for line in one.told)


def test_refusals_do_not_fill_the_ledger(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        token = made(one, 1)
        assert put(one, token, 1) == 201
        for number in range(40):
            assert put(one, token, 100 + number) == 403
        assert len(one.ledger.all()[0].refusals) == 32


def test_a_member_that_starts_over_before_all_are_here_is_taken_back(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        token = made(one)
        assert [put(one, token, 1), put(one, token, 1)] == [201, 201]
        assert len(one.ledger.all()[0].members) == 1


def test_sizes(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        for size, why in {"0": b"1 to 9", "-1": b"1 to 9", "11": b"1 to 9", "4": b"force=true", "x": b"number"}.items():
            found = one.ask("GET", f"/new?size={size}")
            assert found.status == 400
            assert why in found.body
        assert one.ask("GET", "/new?size=4&force=true").status == 200
        assert one.ask("POST", "/new").status == one.ask("PUT", "/new").status == 200
        assert [each.size for each in one.ledger.all()] == [4, 3, 3]


def test_tokens_nobody_made(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        for path in (f"/{'0' * 32}", f"/{'0' * 32}/_config/size", f"/{'0' * 32}/a1?wait=true"):
            found = one.ask("GET", path)
            assert (found.status, found.json["errorCode"]) == (404, 100)
        assert put(one, f"/{'0' * 32}", 1) == 404
        assert one.ask("GET", "/health").body == b"OK"


def test_a_replaced_token_is_of_no_use(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        old = one.ledger.new(3, one.url, "prod")
        one.ledger.new(3, one.url, "prod", old.token)
        assert one.ask("GET", f"/{old.token}/_config/size").status == 404
        assert put(one, f"/{old.token}", 1) == 404


def test_a_wait_ends_with_nothing_and_is_asked_again(tmp_path: Path) -> None:
    with endpoint(tmp_path, patience=0.1) as one:
        token = made(one)
        found = one.ask("GET", f"{token}?wait=true&waitIndex=99&recursive=true")
        assert (found.status, found.body) == (200, b"")


@pytest.mark.slow
def test_who_waits_hears_what_another_server_of_the_ledger_was_told(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one, Ledger(one.ledger.path) as other, ThreadPoolExecutor(1) as pool:
        token = made(one)
        waiting = pool.submit(one.ask, "GET", f"{token}?wait=true")
        wait_for(lambda: any(not each.asking for each in list(one.server.slots._places)))
        other.register(token.strip("/"), "a1", "n1=http://127.0.0.1:2001", "127.0.0.1")
        assert waiting.result(120).json["node"]["value"] == "n1=http://127.0.0.1:2001"


@pytest.mark.slow
def test_who_waits_and_leaves_is_let_go(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        token = made(one)
        with socket.create_connection(("127.0.0.1", one.port), 20) as peer:
            peer.sendall(f"GET {token}?wait=true HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            wait_for(lambda: any(not each.asking for each in list(one.server.slots._places)))
        wait_for(lambda: not one.server.slots._places)


def test_who_waits_is_let_go_when_the_server_ends(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with endpoint(tmp_path) as one:
            waiting = pool.submit(one.ask, "GET", f"{made(one)}?wait=true")
            wait_for(lambda: any(not each.asking for each in list(one.server.slots._places)))
        assert waiting.result(120).body == b""


def test_many_register_at_once_and_no_more_than_fit(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one, ThreadPoolExecutor(32) as pool:
        token = made(one, 5)
        waits = [pool.submit(one.ask, "GET", f"{token}?wait=true&waitIndex=2") for _ in range(12)]
        results = list(pool.map(lambda number: put(one, token, number), range(20)))
        assert sorted(results) == [201] * 5 + [403] * 15
        first = {each.result(120).body for each in waits}
        assert len(first) == 1
        assert len(one.ledger.all()[0].members) == 5


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"PUT /%s/a1 HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n", b"413"),
        (b"PUT /%s/a1 HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"PUT /%s/a1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"PUT /%s/a1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n\xff\xfe=", b"400"),
        (b"PATCH /%s/a1 HTTP/1.1\r\nHost: h\r\n\r\n", b"405"),
    ],
)
def test_what_is_no_request(tmp_path: Path, data: bytes, status: bytes) -> None:
    with endpoint(tmp_path) as one, socket.create_connection(("127.0.0.1", one.port), 20) as peer:
        peer.sendall(data % (b"0" * 32))
        assert peer.recv(4096).split()[1] == status


def test_no_token_is_in_the_log(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        token = made(one, 1).strip("/")
        for path in (f"/{token}", f"/{token}/a1/b", f"/{token}{token}", f"/x?a={token}", f"/{token}?recursive=x"):
            one.ask("GET", path)
        put(one, f"/{token}", 1)
        put(one, f"/{token}", 2)
        one.entries()
        assert token not in one.audit.read_text() + "\n".join(one.told)


def test_what_cannot_be_recorded_is_not_answered(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        one.service._audit.trouble = "disk full"  # type: ignore[union-attr]
        assert one.ask("GET", "/new").status == 503
        assert one.ledger.all() == ()


def test_hostile_names(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        token = made(one)
        for value in ("a\nb=http://192.0.2.1:1", "\x1b[2J=http://192.0.2.1:1", "$(id)", "'\"`=x", "\u202ex=y"):
            assert one.ask("PUT", f"{token}/a1?prevExist=false", value).status == 400
        for line in one.audit.read_text().splitlines():
            assert line.startswith('{"time"')
        assert threading.active_count() < 50
