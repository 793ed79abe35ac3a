"""Tokens for etcd 3.6 and newer, in a real etcd. Members are played as etcd's v3 discovery client goes about it."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coreops.cli._dispatch import dispatch
from coreops.discovery.ledger import Ledger
from coreops.discovery.registry import STORE, store_url
from coreops.discovery.v3 import Certificates, Store
from coreops.errors import CoreopsError, InputError
from tests.discovery.endpoint import Etcds, ask, endpoint, wait_for

ROOT = "/_etcd/registry"


@pytest.fixture
def url(shipped_etcd: Path, tmp_path: Path) -> Iterator[str]:
    nodes = Etcds(shipped_etcd, tmp_path)
    try:
        nodes.start("keeper", "")
        wait_for(lambda: nodes.healthy("keeper"))
        yield nodes.url("keeper")
    finally:
        nodes.close()


def call(url: str, path: str, body: dict[str, Any]) -> Any:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request("POST", path, json.dumps(body))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def b(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Client:
    """A member: looks at the size, then at who is there, registers, and looks again."""

    def __init__(self, url: str, token: str, number: int) -> None:
        self.url, self.root, self.number = url, f"{ROOT}/{token}", number
        self.value = f"n{number}=http://127.0.0.{number}:2380"

    def join(self) -> str:
        self._room()
        call(self.url, "/v3/kv/put", {"key": b(f"{self.root}/members/{self.number:x}"), "value": b(self.value)})
        size, members = self._room()
        return ",".join(members[:size]) if len(members) >= size else "waits"

    def _room(self) -> tuple[int, list[str]]:
        size = call(self.url, "/v3/kv/range", {"key": b(f"{self.root}/_config/size")}).get("kvs", [])
        if not size:
            raise RuntimeError("discovery: size key not found")
        wanted = int(base64.b64decode(size[0]["value"]))
        found = call(
            self.url, "/v3/kv/range", {"key": b(f"{self.root}/members"), "range_end": b(f"{self.root}/membert")}
        )
        pairs = sorted(found.get("kvs", []), key=lambda pair: int(pair["create_revision"]))
        own = [b(f"{self.root}/members/{self.number:x}") == pair["key"] for pair in pairs]
        if True not in own[:wanted] and len(own) >= wanted:
            raise RuntimeError("discovery: cluster is full")
        return wanted, [base64.b64decode(pair["value"]).decode() for pair in pairs]


@pytest.mark.slow
def test_from_a_token_to_a_cluster(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = ("--ledger", str(tmp_path / "discovery.db"))

    def coreops(*words: str, expect: int = 0) -> str:
        assert dispatch(["discovery", *words, *own]) == expect
        said = capsys.readouterr()
        return said.err if expect else said.out

    assert "no etcd answers" in coreops("new", "prod", "--store", "http://127.0.0.1:1", expect=1)
    first = coreops("new", "prod", "--size", "3", "--store", url).strip()
    _, token, _, endpoints = first.split()
    assert first == f"--discovery-token {token} --discovery-endpoints {url}"
    assert endpoints == url
    assert "has a token" in coreops("new", "prod", "--size", "3", "--store", url, expect=4)
    assert "cannot be 4" in coreops("new", "even", "--size", "4", "--store", url, expect=2)
    assert f"kept by {url}" in coreops("list")
    assert [Client(url, token, number).join() for number in (1, 2)] == ["waits", "waits"]
    assert "2 of 3" in coreops("show", "prod")
    wanted = ",".join(Client(url, token, number).value for number in (1, 2, 3))
    assert Client(url, token, 3).join() == wanted
    with pytest.raises(RuntimeError, match="cluster is full"):
        Client(url, token, 4).join()
    # Two that raced: etcd goes by who came first.
    call(url, "/v3/kv/put", {"key": b(f"{ROOT}/{token}/members/9"), "value": b("n9=http://127.0.0.9:2380")})
    shown = coreops("show", "prod")
    assert "n9  http://127.0.0.9:2380" in shown
    assert shown.count("one too many") == 1
    # A token is not renewed: its size stays, and another one is for another cluster.
    store = Store([url], Certificates())
    with pytest.raises(CoreopsError, match="has this token already"):
        store.publish(token, 5)
    with Ledger(tmp_path / "discovery.db") as ledger:
        (kept,) = ledger.all()
        assert store.read(kept)[1] == 3
    second = coreops("new", "prod", "--size", "1", "--store", url, "--replaces", kept.id).split()[1]
    with pytest.raises(RuntimeError, match="size key not found"):
        Client(url, token, 3).join()
    assert Client(url, second, 1).join() == Client(url, second, 1).value
    call(url, "/v3/kv/put", {"key": b(f"{ROOT}/{second}/_config/size"), "value": b("3")})
    assert "not what was written" in coreops("show", "prod", expect=1)


def test_our_own_endpoint_is_not_for_such_tokens(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        token = one.ledger.new(3, f"{STORE}http://192.0.2.1:2379", "prod")
        assert token.store == ("http://192.0.2.1:2379",)
        assert ask(one.url, "GET", f"/{token.token}/_config/size").status == 404
        assert replace(token, base=one.url).option == f"{one.url}/{token.token}"


def test_what_is_not_published_is_no_token(tmp_path: Path) -> None:
    def fail(token: str) -> None:
        raise CoreopsError("no")

    with Ledger(tmp_path / "discovery.db") as ledger:
        with pytest.raises(CoreopsError, match="no"):
            ledger.new(3, "etcd:x", "prod", publish=fail)
        assert ledger.all() == ()


@pytest.mark.parametrize(
    "text", ["", "x", "http://", "ftp://a:1", "http://u:p@a:2379", "http://a:2379/x", "a:2379,b:1"]
)
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(InputError, match="--store cannot be"):
        store_url(text)


def test_endpoints_and_certificates(tmp_path: Path) -> None:
    assert Store(["192.0.2.1:2379", "http://[2001:db8::1]:2379/"], Certificates()).endpoints == (
        "http://192.0.2.1:2379",
        "http://[2001:db8::1]:2379",
    )
    with pytest.raises(InputError, match="certificates cannot be used"):
        Store(["https://192.0.2.1:2379"], Certificates(ca=tmp_path / "none"))
