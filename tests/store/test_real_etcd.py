"""The membership machine against real etcd processes with mTLS on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from local_etcd import LocalEtcd

from coreops.errors import HostFailed, RefusedError
from coreops.events import Event
from coreops.store import etcdctl
from coreops.store.converge import Converger

pytestmark = pytest.mark.slow


@pytest.fixture
def local(etcd_bin: Path, tmp_path: Path) -> Iterator[LocalEtcd]:
    made = LocalEtcd(etcd_bin, tmp_path)
    yield made
    made.close()


def converge(local: LocalEtcd, size: int, *, prune: bool = False, skip: str = "") -> list[str]:
    wanted = [member for member in local.all[:size] if member.name != skip]
    events: list[Event] = []
    converger = Converger(local, wanted, local.extra(wanted), events.append, prune=prune)  # type: ignore[arg-type]
    found, _ = converger.run()
    assert all(node.healthy for node in found.values())
    return converger.done


def test_three_members_form_with_tls_and_serve(local: LocalEtcd) -> None:
    assert converge(local, 3) == ["form the cluster: start n1, n2, n3 at once"]
    assert converge(local, 3) == []
    for member in local.all[:3]:
        write = etcdctl.write_read("w", "coreops/verify/key with 'quotes' $(x)", "-value\n`x", member.client_url)
        assert local._step(member.name, write).state == "ok"
    assert local._step("n1", etcdctl.without_certificate("t", local.all[0].client_url)).state == "ok"
    found = local.look(local.all[:3])
    status = found["n1"].status
    assert status is not None
    assert (status.version, status.errors) == ("3.5.1", ())
    assert status.leader in {entry.id for entry in found["n1"].members or ()}
    assert max(entry.id for entry in found["n1"].members or ()) < 2**64


def test_a_stopped_endpoint_fails_the_verification(local: LocalEtcd) -> None:
    converge(local, 1)
    local.kill("n1")
    url = local.all[0].client_url
    with pytest.raises(HostFailed):
        local._step("n1", etcdctl.write_read("w", "k", "v", url))


@pytest.mark.lab  # too long for the unit part
def test_a_whole_life(local: LocalEtcd) -> None:
    """Grow from 1 to 3, lose a disk, take new settings, go to 5, replace a dead machine, shrink back."""
    converge(local, 1)
    put = etcdctl.line("put", "kept", "precious", endpoints=[local.all[0].client_url])
    assert local.sh("n1", put).returncode == 0
    assert converge(local, 3) == [
        step
        for host in ("n2", "n3")
        for step in (f"add {host} as a learner", f"start {host} as a learner", f"promote {host} to a voter")
    ]

    local.wipe("n1")
    done = converge(local, 3)
    assert "it lost its data" in done[0]
    assert done[1:] == [
        "set the data of n1 aside: the cluster does not know this member",
        "add n1 as a learner",
        "start n1 as a learner",
        "promote n1 to a voter",
    ]

    local.stale = {"n1", "n2", "n3"}
    done = converge(local, 3)
    assert sorted(step for step in done if step.startswith("restart")) == [
        f"restart {host} with its new settings" for host in ("n1", "n2", "n3")
    ]
    assert done[-2].startswith("move the leadership")

    converge(local, 5)
    local.kill("n4")
    local.wipe("n5")
    with pytest.raises(RefusedError, match="n5 cannot join now"):
        converge(local, 5, skip="n4")
    converge(local, 3, prune=True)

    get = etcdctl.line("get", "--print-value-only", "kept", endpoints=[local.all[2].client_url])
    assert local.sh("n3", get).stdout == b"precious\n"


@pytest.mark.lab  # too long for the unit part
def test_lost_quorum_is_refused_and_nothing_is_started(local: LocalEtcd) -> None:
    converge(local, 3)
    local.wipe("n1")
    local.wipe("n2")
    with pytest.raises(RefusedError, match="quorum is lost"):
        converge(local, 3)
    assert not local.running("n1")
    assert not local.running("n2")
