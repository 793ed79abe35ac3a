"""What a node has of fleet: ``look.sh`` on nodes that are made up, and what bootstrap then does or refuses."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coreops.errors import HostFailed, InputError, RefusedError
from coreops.schedulers.fleet import look as looking
from coreops.schedulers.fleet.adapter import make
from coreops.schedulers.fleet.look import FleetSeen, check, mixed, numbers, read
from coreops.schedulers.protocol import Move, Settled
from tests.schedulers.fleet.world import cluster

STORE = ("https://10.0.0.1:2379",)
GOOD = FleetSeen(
    host="m1", version="1.0.0", cluster="fleet", machine="a1", program="/usr/bin/fleetd", active=True, socket=True,
    managed=True, etcd="3.5.17", v2="200",
)  # fmt: skip
SYSTEMCTL = """#!/bin/sh
case $* in
    *FragmentPath*) echo FragmentPath=/usr/lib/systemd/system/$4 ;;
    *ActiveState*) echo ActiveState=active ;;
    *MainPID*) echo MainPID=0 ;;
    *Environment*) cat "${CONF%/*}/environment" 2>/dev/null || echo Environment= ;;
esac
"""
CURL = """#!/bin/sh
for last; do :; done
case $last in
    *2379/version) echo '{"etcdserver":"3.5.17","etcdcluster":"3.5.0"}' ;;
    *2379/v2/keys/) printf 404 ;;
    *) exit 7 ;;
esac
"""


def see(folder: Path, **env: str) -> FleetSeen:
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for name, text in (("systemctl", SYSTEMCTL), ("curl", CURL)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    script = Path(looking.__file__).with_name("look.sh").read_text()
    told = {"CONF": f"{folder}/fleet.conf", "PKI": f"{folder}/pki", "STORE": f"{folder}/store", "SERVERS": "",
            "STARTED": f"{folder}/started"} | env  # fmt: skip
    line = ["sh", "-c", script]
    path = {"PATH": f"{tools}:/usr/bin:/bin"}
    done = subprocess.run(line, env={**path, **told}, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return read("m1", done.stdout)


def test_a_node_that_a_cloud_config_set_up(tmp_path: Path) -> None:
    (tmp_path / "fleet.conf").write_text(' etcd_servers = ["http://a:2379", "http://b:4001"]\netcd_key_prefix=/x/\n')
    seen = see(tmp_path)
    assert seen.servers == ("http://a:2379", "http://b:4001")
    assert (seen.prefix, seen.managed, seen.active, seen.socket, seen.stale) == ("/x/", False, True, True, True)
    assert seen.fragment == "/usr/lib/systemd/system/fleet.service"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "fleet.conf").write_text("etcd_servers=http://a:2379\n")
    (tmp_path / "environment").write_text(
        'Environment=GOMAXPROCS=1 FLEET_ETCD_SERVERS=http://*:1 "FLEET_METADATA=a b"\n'
    )
    assert see(tmp_path).servers == ("http://*:1",)


def test_settings_that_are_newer_than_the_process(tmp_path: Path) -> None:
    (tmp_path / "fleet.conf").write_text("# Managed by coreops\n")
    (tmp_path / "started").write_text("# Managed by coreops\n")
    assert not see(tmp_path).stale
    (tmp_path / "fleet.conf").write_text('# Managed by coreops\nverbosity="1"\n')
    seen = see(tmp_path)
    assert (seen.stale, seen.managed) == (True, True)


def test_the_store_is_asked_with_the_certificate_that_there_is(tmp_path: Path) -> None:
    servers = {"SERVERS": "https://10.0.0.9:1\nhttps://10.0.0.1:2379"}
    assert see(tmp_path, **servers).etcd == ""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "client.key").write_text("x")
    seen = see(tmp_path, **servers)
    assert (seen.etcd, seen.v2) == ("3.5.17", "404")


@pytest.mark.parametrize(
    ("bad", "what", "next_"),
    [
        ({"etcd": "3.6.0", "v2": "404"}, "fleet cannot run on etcd 3.6.0", "keep the store at 3.5"),
        ({"etcd": "3.7.1-rc.0"}, "fleet cannot run on etcd 3.7.1", "another scheduler"),
        ({"etcd": "3.5.17", "v2": "404"}, "does not serve the v2 API", "etcd_flags: {enable-v2: true}"),
        ({"uid": 500}, "not root", "sudo"),
        ({"curl": False}, "there is no curl", "image"),
        ({"version": "0.10.2"}, "fleetd 0.10.2 is too old", "fleet_install: archive"),
        ({"managed": False, "servers": ("http://else:2379",)}, "in another cluster", "systemctl disable"),
    ],
)
def test_what_is_refused(bad: dict[str, Any], what: str, next_: str) -> None:
    with pytest.raises(RefusedError, match=what) as caught:
        check([replace(GOOD, **bad)], STORE)
    assert caught.value.where == "m1"
    assert next_ in str(caught.value.next)


def test_versions_that_differ_are_told() -> None:
    def told(*versions: str) -> tuple[str, ...]:
        return mixed([replace(GOOD, host=f"m{i}", version=version) for i, version in enumerate(versions, 1)])

    assert told("1.0.0", "1.0.0", "") == told("1.0.0", "1.0.0+git") == told("0.11.8") == told() == ()
    (said,) = told("1.0.0", "0.11.8", "1.0.0")
    assert "0.11.8 on m2; 1.0.0 on m1, m3; any of them may lead" in said
    assert "Replaces= (since 0.13)" in said
    (said,) = told("1.0.0", "0.13.0")
    assert "conflicts of global units (since 1.0)" in said
    assert "Replaces" not in said
    fleet = make(cluster())
    assert fleet.warnings({"m1": GOOD, "m2": replace(GOOD, host="m2", version="0.11.8")})


def test_an_old_image_gets_the_archive() -> None:
    old = world(version="0.10.2")
    with pytest.raises(RefusedError, match=r"fleetd 0\.10\.2 is too old"):
        make(cluster()).decide(old)
    fleet = make(cluster({"fleet_install": "archive"}))
    assert fleet.decide(old) == Settled()
    assert {each.oldest for each in fleet.artifacts().values()} == {(0, 11, 0)}


def test_a_fleet_of_the_same_store_is_taken_over() -> None:
    check([replace(GOOD, managed=False, servers=("https://10.0.0.1:2379/",))], STORE)
    check([replace(GOOD, managed=False, servers=("http://127.0.0.1:4001",))], STORE)


def test_two_hosts_with_one_machine_id() -> None:
    with pytest.raises(HostFailed, match="m1 and m2 have one machine id"):
        check([GOOD, replace(GOOD, host="m2")], STORE)


def world(**other: Any) -> dict[str, FleetSeen]:
    return {name: replace(GOOD, host=name, machine=name, **(other if name == "m2" else {})) for name in cluster().names}


def test_what_bootstrap_does_next() -> None:
    fleet = make(cluster())
    assert fleet.decide(world()) == Settled()
    start = fleet.decide(world(active=False))
    assert isinstance(start, Move)
    assert (start.play, start.on) == (("start",), ("m2",))
    for why in ({"stale": True}, {"socket": False}):
        restart = fleet.decide(world(**why))
        assert isinstance(restart, Move)
        assert (restart.play, restart.on) == (("restart",), ("m2",))
    with pytest.raises(InputError, match="the image has no fleetd") as caught:
        fleet.decide(world(active=False, program=""))
    assert caught.value.where == "m2"
    later = make(cluster({"fleet_install": "archive"})).decide(world(active=False, program=""))
    assert isinstance(later, Move)


def test_an_artifact_is_asked_for_where_the_image_has_none() -> None:
    assert make(cluster()).artifacts() == {}
    found = make(cluster({"fleet_install": "archive", "fleet_version": "0.11.8"})).artifacts()
    assert {(each.name, each.arch, each.version) for each in found.values()} == {("fleet", "amd64", "0.11.8")}


@pytest.mark.parametrize(
    ("text", "version"), [("0.11.8", (0, 11, 8)), ("1.0.0+git", (1, 0, 0)), ("3.6", (3, 6, 0)), ("?", (0, 0, 0))]
)
def test_versions_are_compared_as_numbers(text: str, version: tuple[int, int, int]) -> None:
    assert numbers(text) == version
