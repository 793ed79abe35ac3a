"""Real etcd processes that find each other through the endpoint; Debian's own discovery service beside it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coreops.serving.listen import Listen
from tests.discovery.conftest import debian
from tests.discovery.endpoint import QUERY, Etcds, addresses, ask, endpoint, wait_for

pytestmark = pytest.mark.slow
NAMES = ("n1", "n2", "n3")


@contextmanager
def etcds(binary: Path, folder: Path) -> Iterator[Etcds]:
    made = Etcds(binary, folder)
    try:
        yield made
    finally:
        made.close()


def test_three_form_a_cluster_and_the_fourth_is_refused(etcd: Path, tmp_path: Path) -> None:
    with endpoint(tmp_path) as one, etcds(etcd, tmp_path) as nodes:
        token = one.ledger.new(3, one.url, "prod")
        for name in NAMES:
            nodes.start(name, token.url)
        wait_for(lambda: all(nodes.healthy(name) for name in NAMES))
        assert nodes.members("n1") == set(NAMES)
        nodes.start("n4", token.url)
        assert nodes.processes["n4"].wait(60) == 1
        assert "all 3 members of prod have registered" in nodes.log("n4")
        assert "falling back to proxy" not in nodes.log("n4")
        assert any("REFUSED n4" in line for line in one.told)
        # A member without its data must not begin it anew, and one that starts again does not ask.
        nodes.wiped("n3")
        nodes.start("n3", token.url)
        assert nodes.processes["n3"].wait(60) == 1
        assert "or use a new discovery token" in nodes.log("n3")
        nodes.kill("n2")
        nodes.start("n2", token.url)
        wait_for(lambda: nodes.healthy("n2"))
        assert {each.name for each in one.ledger.all()[0].members} == set(NAMES)


def test_members_outlive_an_endpoint_that_dies(shipped_etcd: Path, tmp_path: Path) -> None:
    where = Listen(next(addresses()), 8087)
    with etcds(shipped_etcd, tmp_path) as nodes:
        with endpoint(tmp_path, listen=where) as one:
            url = one.ledger.new(3, one.url, "prod").url
            nodes.start("n1", url)
            nodes.start("n2", url)
            # Before that, in the middle of registering, an etcd that loses the endpoint gives up.
            wait_for(lambda: all("waiting for more" in nodes.log(name) for name in ("n1", "n2")))
        with endpoint(tmp_path, listen=where) as one:
            nodes.kill("n2")  # and one that starts over while it waits is no duplicate
            nodes.start("n2", url)
            wait_for(lambda: any("n2 registered before, and starts over" in line for line in one.told))
            nodes.start("n3", url)
            wait_for(lambda: all(nodes.healthy(name) for name in NAMES), 60)


def test_one_is_a_cluster_too(shipped_etcd: Path, tmp_path: Path) -> None:
    with endpoint(tmp_path) as one, etcds(shipped_etcd, tmp_path) as nodes:
        nodes.start("n1", one.ledger.new(1, one.url).url)
        wait_for(lambda: nodes.healthy("n1"))


@contextmanager
def debians(etcd: Path, folder: Path) -> Iterator[str]:
    """Debian's etcd-discovery before an etcd that still has the v2 API. It reads one fixed file, laid over /etc."""
    program = debian("discovery.etcd.io")
    if program is None:
        pytest.skip("no etcd-discovery of the distribution (scripts/debian-etcd --prepare)")
    if os.geteuid() != 0:
        pytest.skip("etcd-discovery reads one fixed file; only root can lay another /etc over it")
    with etcds(etcd, folder) as nodes:
        listen = f"{next(nodes.free)}:8087"
        url = f"http://{listen}"
        nodes.start("registry", "", "--enable-v2")
        wait_for(lambda: nodes.healthy("registry"))
        own = folder / "etc/etcd-discovery/etcd-discovery.conf"
        own.parent.mkdir(parents=True)
        own.write_text(
            f"[server]\nprefix_url={url}\nweb_service_address={listen}\n"
            f"[etcd]\nendpoint_location={nodes.url('registry')}\n"
        )
        script = 'mount -t overlay -o "lowerdir=$1:/etc" overlay /etc && exec "$2"'
        with (folder / "debian.log").open("wb") as log:
            argv = ["unshare", "-m", "sh", "-c", script, "sh", str(folder / "etc"), str(program)]
            nodes.processes["discovery"] = subprocess.Popen(argv, stdout=log, stderr=log)

        def up() -> bool:
            try:
                return ask(url, "GET", "/health").body == b"OK"
            except OSError:
                return False

        wait_for(up)
        yield url


def conversation(url: str) -> list[object]:
    """What an endpoint says to the same requests, without its tokens, its counting and the order of a folder."""
    path = ask(url, "GET", "/new?size=3").body.decode().removeprefix(url)
    told: list[object] = []
    for method, target, value in (
        ("GET", f"{path}/_config/size", None),
        ("GET", f"{path}?{QUERY}", None),
        ("GET", f"{path}/a1", None),
        ("PUT", f"{path}/a1?prevExist=false", "n1=http://127.0.0.1:2001"),
        ("GET", f"{path}/a1?wait=true&waitIndex=1&recursive=false", None),
        ("GET", f"{path}?{QUERY}", None),
        ("GET", f"{path}/?{QUERY}", None),
        ("GET", f"{path}/a1", None),
        ("PUT", f"{path}/a2?prevExist=false", "n2=http://127.0.0.1:2002"),
        ("PUT", f"{path}/a3", "n3=http://127.0.0.1:2003"),
        ("PUT", f"{path}/a1?prevExist=false", "n1=http://127.0.0.1:2001"),
        ("GET", path, None),
        ("GET", f"/{'0' * 32}/_config/size", None),
        ("GET", f"{path}?wait=true&waitIndex=x", None),
        ("GET", f"{path}?recursive=maybe", None),
    ):
        found = ask(url, method, target, value)
        document = json.loads(re.sub(rb'"(modifiedIndex|createdIndex|index)":[0-9]+', rb'"\1":0', found.body))
        if nodes := document.get("node", {}).get("nodes"):
            nodes.sort(key=lambda each: str(each["key"]))
        text = json.dumps(document, sort_keys=True).replace(path, "/TOKEN")
        told.append((method, target.replace(path, "/TOKEN"), found.status, text, found.index is not None))
    for method, target in (("PUT", f"{path}/_config/size"), ("POST", path), ("GET", "/xyz"), ("GET", "/new?size=x")):
        told.append((method, target.replace(path, "/TOKEN"), ask(url, method, target).status))
    return told


def test_debians_service_says_the_same(shipped_etcd: Path, tmp_path: Path) -> None:
    with endpoint(tmp_path) as one, debians(shipped_etcd, tmp_path) as theirs:
        assert conversation(one.url) == conversation(theirs)


def test_what_debians_service_lets_happen(shipped_etcd: Path, tmp_path: Path) -> None:
    """The reason for the endpoint: with it, the fourth member becomes a proxy, and nobody is told."""
    with debians(shipped_etcd, tmp_path) as theirs, etcds(shipped_etcd, tmp_path) as nodes:
        url = ask(theirs, "GET", "/new?size=1").body.decode()
        nodes.start("n1", url)
        wait_for(lambda: nodes.healthy("n1"))
        nodes.start("n2", url)
        wait_for(lambda: "falling back to proxy" in nodes.log("n2"))
