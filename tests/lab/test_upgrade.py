"""``coreops upgrade`` on three real nodes with etcd, when nothing goes wrong. The tests build on each other, as a
cluster's life does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from coreops.providers.namespace import image
from tests.lab.store_client import Writer
from tests.lab.upgrades import NEW, NODES, OLD, Fleet, Node, fleet, last_lines

pytestmark = pytest.mark.lab

APP = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
UNITS = ("app-one", "app-two", "app-off")


@pytest.fixture(scope="module")
def cluster(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("upgrade"), "u") as made:
        made.publish(image.current().usr(NEW), NEW)
        for name in NODES:
            files = "\n".join(f"cat >/etc/systemd/system/{unit}.service <<'E'\n{APP}E" for unit in UNITS)
            made.sh(name, f"{files}\nsystemctl daemon-reload; systemctl enable -q app-one app-off")
            made.sh(name, "systemctl start app-one app-two")
        made.settings(upgrade_drain={"units": ["app-*.service"]})
        yield made


def active(cluster: Fleet, name: str) -> set[str]:
    said = cluster.sh(name, f"for u in {' '.join(UNITS)}; do systemctl is-active -q $u && echo $u; done; :")
    return set(said.split())


def test_a_dry_run_shows_the_plan_and_touches_nothing(cluster: Fleet) -> None:
    before = cluster.fingerprint()
    said = cluster.coreops("upgrade", cluster.inventory, "--dry-run")
    leader = cluster.store.leader()
    assert f"upgrade to {NEW}" in said
    assert "canary, goes first, alone" in said
    assert f"3.  {leader}" in said
    assert "leads the store: goes last" in said
    assert cluster.fingerprint() == before
    assert not list(cluster.folder.glob(".coreops/runs/*/rollout.jsonl"))


def test_nobody_is_asked_without_a_terminal(cluster: Fleet) -> None:
    said = cluster.coreops("upgrade", cluster.inventory, expect=2)
    assert "pass --yes" in said


def test_an_upgrade_under_load_loses_no_write_and_reboots_every_node_once(cluster: Fleet) -> None:
    cluster.sh("n2", "mkdir -p /etc/coreops; echo 'disk is dying' >/etc/coreops/cordoned")
    before, leader = cluster.look(), cluster.store.leader()
    assert {node.release for node in before.values()} == {OLD}
    with Writer(cluster.store) as writer:
        said = cluster.upgrade("--report", "out.html")
    writer.check()
    assert len(writer.acknowledged) > 50
    assert last_lines(said) == dict.fromkeys(NODES, f"done  USR-B {NEW}")
    after = cluster.look()
    for name in NODES:
        assert proven(before[name], after[name]), (name, before[name], after[name])
        assert active(cluster, name) == {"app-one", "app-two"}
    assert cluster.sh("n2", "cat /etc/coreops/cordoned") == "disk is dying"
    assert cluster.store.healthy()
    assert not cluster.store.keys("/coreops/upgrade/v1/leases/")
    assert re.findall(r"(n[0-9]) +reboot ", said)[-1] == leader
    page = (cluster.folder / "out.html").read_text()
    assert all(name in page for name in NODES)
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")


def proven(before: Node, after: Node) -> bool:
    return (
        after.slot == "USR-B"
        and after.release == NEW
        and after.boot_id != before.boot_id
        and after.boots == before.boots + 1
        and after.bits["USR-B"][2]
        and after.bits["USR-B"][0] > after.bits["USR-A"][0] > 0
        and after.bits["USR-A"][2]
    )


def test_the_second_run_has_nothing_to_do(cluster: Fleet) -> None:
    before = cluster.look()
    assert "nothing to do" in cluster.upgrade()
    assert cluster.look() == before


def test_status_and_audit_say_so(cluster: Fleet) -> None:
    said = cluster.coreops("status", "-i", cluster.inventory)
    assert said.count(NEW) >= 3
    assert "cordoned" in said
    assert "3 of 3 members healthy" in said
    assert "n1" in cluster.coreops("audit", "-i", cluster.inventory)


def test_a_rollback_goes_back_with_the_same_care_and_denies_the_version(cluster: Fleet) -> None:
    before = cluster.look()
    with Writer(cluster.store) as writer:
        said = cluster.coreops("rollback", "n3", "-i", cluster.inventory, "--yes")
    writer.check()
    assert last_lines(said)["n3"].startswith("done")
    after = cluster.look()
    assert (after["n3"].slot, after["n3"].release) == ("USR-A", OLD)
    assert after["n3"].boots == before["n3"].boots + 1
    assert {name: after[name] for name in ("n1", "n2")} == {name: before[name] for name in ("n1", "n2")}
    assert active(cluster, "n3") == {"app-one", "app-two"}
    assert NEW in cluster.coreops("deny", "list", "-i", cluster.inventory)


def test_audit_names_who_was_left_behind(cluster: Fleet) -> None:
    said = cluster.coreops("audit", "-i", cluster.inventory, expect=1)
    assert "n3" in said
    assert OLD in said


def test_a_version_that_was_rolled_back_is_refused_until_it_is_cleared(cluster: Fleet) -> None:
    assert f"{NEW} is denied" in cluster.upgrade(expect=4)
    cluster.coreops("deny", "clear", NEW, "-i", cluster.inventory)
    before = cluster.look()
    said = cluster.upgrade()
    assert last_lines(said)["n3"].startswith("done")
    after = cluster.look()
    assert after["n3"].release == NEW
    assert [after[name].boots - before[name].boots for name in NODES] == [0, 0, 1]


def test_audit_of_unreachable_nodes_alone_exits_3(cluster: Fleet) -> None:
    cluster.lab.chaos("n3", "cut")
    try:
        said = cluster.coreops("audit", "-i", cluster.inventory, expect=3)
    finally:
        cluster.lab.chaos("n3", "heal")
    assert "n3" in said


def test_what_is_not_wanted_is_said_before_anything_is_touched(cluster: Fleet) -> None:
    before = cluster.look()
    refused: dict[tuple[str, ...], tuple[int, str]] = {
        ("--channel", "stabel"): (2, "did you mean 'stable'"),
        ("--version", "9.9.9"): (2, "9.9.9"),
        ("--max-unavailable", "0"): (2, "max"),
        ("--max-unavailable", "3"): (4, "quorum"),
        ("--zone", "z9"): (2, "unknown zone 'z9'"),
        ("--window", "Sat 02:00-02:00 Nowhere/Land"): (2, "Nowhere/Land"),
        ("--root", "nothing.json"): (2, "nothing.json"),
        ("--limit", "n9"): (2, "n9"),
        ("--soak", "ever"): (2, "soak"),
    }
    for options, (code, words) in refused.items():
        assert words in cluster.upgrade(*options, expect=code), options
    assert cluster.look() == before
