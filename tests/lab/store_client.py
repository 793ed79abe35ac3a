"""A client of the lab's etcd that goes through none of coreops: it asks the members' HTTP gateways from here."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any, Self

import httpx

from coreops.providers.namespace.lab import Lab

CALM = {"heartbeat-interval": 300, "election-timeout": 3000}
"""etcd_flags: other labs want the processors, too, and a member that waits for one need not be taken for dead."""


@dataclass
class Store:
    """The members of a lab, and the folder with the client's certificate. timeout: of one request."""

    lab: Lab
    pki: Path
    timeout: float = 2.0

    @cached_property
    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(str(self.pki / "client.crt"), str(self.pki / "client.key"))
        return context

    @property
    def endpoints(self) -> list[str]:
        return [f"https://{node.address}:2379" for node in self.lab.nodes]

    def ask(self, path: str, body: Mapping[str, Any], timeout: float = 20) -> dict[str, Any]:
        """Ask until one member answers."""
        deadline = time.monotonic() + timeout
        with httpx.Client(verify=self.tls, timeout=self.timeout) as client:
            for endpoint in cycle(self.endpoints):
                try:
                    answer = client.post(f"{endpoint}/v3/{path}", json=body)
                    if answer.status_code == 200:
                        return dict(answer.json())
                except httpx.HTTPError:
                    pass
                assert time.monotonic() < deadline, f"etcd does not answer {path}"
        raise AssertionError

    def keys(self, prefix: str = "/coreops/") -> dict[str, str]:
        """Keys below a prefix, and their values."""
        body = {"key": _b64(prefix), "range_end": _b64(prefix[:-1] + chr(ord(prefix[-1]) + 1))}
        found = self.ask("kv/range", body).get("kvs", [])
        return {_text(one["key"]): _text(one.get("value", "")) for one in found}

    def leader(self) -> str:
        """The node that leads the store; "" when its members do not agree."""
        with httpx.Client(verify=self.tls, timeout=self.timeout) as client:
            return self._leader(client)

    def _leader(self, client: httpx.Client) -> str:
        ids: dict[str, str] = {}
        leaders = set()
        for node in self.lab.nodes:
            try:
                said = client.post(f"https://{node.address}:2379/v3/maintenance/status", json={}).json()
            except httpx.HTTPError:
                continue
            ids[said["header"]["member_id"]] = node.name
            leaders.add(said.get("leader", ""))
        return ids.get(leaders.pop(), "") if len(leaders) == 1 else ""

    def healthy(self) -> bool:
        """Does every member serve, and follow one leader?"""
        with httpx.Client(verify=self.tls, timeout=self.timeout) as client:
            try:
                well = all(client.get(f"{each}/health").json().get("health") == "true" for each in self.endpoints)
            except (httpx.HTTPError, ValueError):
                return False
            return well and bool(self._leader(client))


class Writer:
    """A client that puts a new key all the time, and tries again as clients do until the store has acknowledged it.

    every: seconds between two. patience: how long it may have to wait.
    """

    def __init__(self, store: Store, every: float = 0.2, patience: float = 60.0) -> None:
        self._store = store
        self._every, self._patience = every, patience
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._failed: Exception | None = None
        self.acknowledged: list[int] = []
        self.retries = 0
        self.longest = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=90)

    def check(self) -> None:
        """All that was acknowledged is there; nobody had to wait for long."""
        assert self._failed is None, self._failed
        assert not self._thread.is_alive()
        there = {int(key.rpartition("/")[2]) for key in self._store.keys("/writer/")}
        lost = [number for number in self.acknowledged if number not in there]
        assert not lost, f"{len(lost)} acknowledged writes are lost: {lost[:10]}"
        assert self.longest < self._patience, f"no write was acknowledged for {self.longest:.1f} s"

    def _write(self) -> None:
        number, last = 0, time.monotonic()
        endpoints = cycle(self._store.endpoints)
        endpoint = next(endpoints)
        try:
            with httpx.Client(verify=self._store.tls, timeout=self._store.timeout / 2) as client:
                while not self._ended.is_set():
                    body = {"key": _b64(f"/writer/{number:08}"), "value": _b64(str(number))}
                    try:
                        good = client.post(f"{endpoint}/v3/kv/put", json=body).status_code == 200
                    except httpx.HTTPError:
                        good = False
                    now = time.monotonic()
                    if good:
                        self.acknowledged.append(number)
                        self.longest, last = max(self.longest, now - last), now
                        number += 1
                    else:
                        self.retries += 1
                        endpoint = next(endpoints)
                    self._ended.wait(self._every)
        except Exception as error:
            self._failed = error


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(data: str) -> str:
    return base64.b64decode(data).decode(errors="replace")
