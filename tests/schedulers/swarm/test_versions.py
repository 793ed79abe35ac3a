"""Which engines may be in one swarm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coreops.errors import RefusedError
from coreops.schedulers.protocol import Settled, Warns
from coreops.schedulers.swarm import make, versions
from coreops.schedulers.swarm.state import Sight
from tests.schedulers.swarm.driving import look, settle
from tests.schedulers.swarm.fake import CLUSTER, World


def seen(**engines: str) -> dict[str, Sight]:
    return {name: Sight(host=name, version=engines.get(name, "20.10.24+dfsg1")) for name in CLUSTER.names}


def with_settings(**settings: Any) -> Any:
    return replace(CLUSTER, hosts=tuple(replace(host, settings=settings) for host in CLUSTER.hosts))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("20.10.24+dfsg1", (20, 10)),
        ("18.06.3-ce", (18, 6)),
        ("v29.0.1", (29, 0)),
        ("1.9.1", (1, 9)),
        ("dev", None),
        ("", None),
    ],
)
def test_versions(text: str, version: versions.Version | None) -> None:
    assert versions.parse(text) == version


def test_an_engine_without_a_swarm_is_refused_before_anything_is_begun() -> None:
    with pytest.raises(RefusedError, match=r"Docker 1\.11\.2 has no swarm") as caught:
        make(CLUSTER).decide(seen(n5="1.11.2"))
    assert caught.value.where == "n5"


def test_settings_that_an_engine_would_leave_out_in_silence() -> None:
    port = with_settings(swarm_data_path_port=7000)
    versions.check(port, seen())
    with pytest.raises(RefusedError, match=r"Docker 18\.09\.9 does not know swarm_data_path_port") as caught:
        versions.check(port, seen(n5="18.09.9"))
    assert (caught.value.where, "19.03 was the first" in str(caught.value)) == ("n5", True)
    pool = with_settings(swarm_default_addr_pool=("10.9.0.0/16",))
    versions.check(pool, seen(n5="18.06.3-ce"))  # workers need not
    with pytest.raises(RefusedError, match="does not know swarm_default_addr_pool"):
        versions.check(pool, seen(n2="18.06.3-ce"))
    versions.check(pool, seen(n2=""))  # it rests: asked again when it runs


def test_different_releases_are_told_and_nothing_is_refused() -> None:
    def told(**engines: str) -> str:
        return "".join(versions.told(CLUSTER, seen(**engines)))

    assert told() == told(n1="20.10.1") == told(n1="") == ""
    assert "20.10.24+dfsg1 on n2, n3, n4, n5; 24.0.2 on n1" in told(n1="24.0.2")
    assert "newer than all managers" not in told(n1="24.0.2", n4="24.0.9")
    assert "n4, n5: newer than all managers, which Docker wants upgraded first" in told(n4="24.0.2", n5="25.0.1")
    assert told(**dict.fromkeys(CLUSTER.names, "28.1.0") | {"n5": "28.5.2"}) == ""
    scheduler = make(CLUSTER)
    assert isinstance(scheduler, Warns)
    assert len(scheduler.warnings(seen(n4="27.0.3"))) == 1
    world = World()
    settle(world)
    mixed = {
        name: replace(sight, version="27.0" if name == "n4" else sight.version) for name, sight in look(world).items()
    }
    assert world.scheduler.decide(mixed) == Settled()


def test_what_of_a_service_engines_do_not_know() -> None:
    body = {
        "TaskTemplate": {
            "ContainerSpec": {"Ulimits": [{"Name": "nofile"}], "Sysctls": {}},
            "Placement": {"MaxReplicas": 1},
        }
    }
    assert list(versions.unknown(body, [("n1", "20.10.24"), ("n2", "")])) == []
    assert list(versions.unknown(body, [("n1", "20.10.24"), ("n2", "19.03.15"), ("n3", "18.06.3-ce")])) == [
        ("--ulimit", "20.10", "n2", "19.03.15"),
        ("Conflicts= of its own template", "19.03", "n3", "18.06.3-ce"),
    ]
    assert list(versions.unknown({"TaskTemplate": {"ContainerSpec": {}, "Resources": None}}, [("n1", "1.13.1")])) == []
