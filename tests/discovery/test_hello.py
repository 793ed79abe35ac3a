"""Machines that tell who they are, by the script that user-data gives them, and are found by ``coreops adopt``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from coreops.adoption.waiting import waiting
from coreops.discovery import ledger as ledgers
from coreops.discovery.ledger import Ledger
from coreops.errors import InputError, RefusedError
from coreops.identity import identity
from tests.discovery.endpoint import Endpoint, ask, endpoint

ID = "0123456789abcdef" * 2


def tell(one: Endpoint, token: str, text: str) -> int:
    import http.client

    connection = http.client.HTTPConnection(one.url.removeprefix("http://"), timeout=20)
    try:
        connection.request("POST", f"/hello/{token}", text.encode())
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_script_tells_who_this_machine_is(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        token = one.ledger.new(1, one.url, "prod")
        url = tmp_path / "hello.url"
        url.write_text(f'url = "{one.url}/hello/{token.token}"\n')
        script = identity.hello().replace("/etc/coreops/hello.url", str(url))
        for _ in range(2):
            subprocess.run(["sh", "-c", script], check=True, timeout=20, capture_output=True)
        without_curl = f"command() {{ return 1; }}\n{script}"
        subprocess.run(["sh", "-c", without_curl], check=True, timeout=20, capture_output=True)
        (hello,) = one.ledger.hellos(token.token)
        assert hello.peer == "127.0.0.1"
        assert identity.parse(hello.text).hostname == os.uname().nodename
        assert [line for line in one.told if "waits to be adopted" in line] == [
            f"prod: {os.uname().nodename} at 127.0.0.1 waits to be adopted (machine-id {hello.machine})"
        ]
        assert all(token.token not in str(entry) for entry in one.entries())
        (candidate,) = waiting(tmp_path / "discovery.db", "prod", {})
        assert candidate.told is not None
        assert candidate.told.machine_id == hello.machine
        known = {"n1": {"id": hello.machine, "addresses": {"private_ipv4": "127.0.0.1"}}}
        assert waiting(tmp_path / "discovery.db", None, known) == ()


def test_who_does_not_know_a_token_is_not_heard(tmp_path: Path) -> None:
    with endpoint(tmp_path) as one:
        old = one.ledger.new(1, one.url, "prod").token
        token = one.ledger.new(1, one.url, "prod", old).token
        said = f"machine_id {ID}\nhostname n1\n"
        assert [tell(one, each, said) for each in (old, "0" * 32, "x")] == [404, 404, 404]
        assert [tell(one, token, each) for each in ("", "machine_id ../../etc", "hostname n1")] == [400, 400, 400]
        assert tell(one, token, said + "x" * 20_000) == 413
        assert one.ledger.hellos(token) == ()
        assert tell(one, token, said) == 200
        assert ask(one.url, "GET", f"/hello/{token}").status == 405


def test_not_more_than_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "MOST_HELLOS", 2)
    with Ledger(tmp_path / "discovery.db") as ledger:
        token = ledger.new(1, "http://x").token
        assert [ledger.hear(token, each, "", "192.0.2.1") for each in "aba"] == [True, True, False]
        with pytest.raises(RefusedError, match="too many"):
            ledger.hear(token, "c", "", "192.0.2.1")


def test_of_several_clusters_one_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "discovery.db"
    with Ledger(path) as ledger:
        for number, cluster in enumerate(("prod", "test")):
            ledger.hear(ledger.new(1, "http://x", cluster).token, f"{number}", f"machine_id {ID}", f"192.0.2.{number}")
    with pytest.raises(InputError, match="several clusters"):
        waiting(path, None, {})
    assert [each.address for each in waiting(path, "test", {})] == ["192.0.2.1"]
    with pytest.raises(InputError, match="no cluster 'tset'") as caught:
        waiting(path, "tset", {})
    assert "test" in str(caught.value.next)
