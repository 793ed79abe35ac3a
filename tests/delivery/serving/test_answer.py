"""The rules: who gets what."""

from __future__ import annotations

import json

import pytest
import yaml

from coreops.delivery.request import Boot
from coreops.delivery.serving.answer import Rules, answer
from coreops.delivery.serving.machines import Machines, Named
from coreops.delivery.serving.request import parse
from coreops.delivery.serving.site import Content, Site
from coreops.model import Position

HERE = Position("hosts.yml", 1)
TOKEN = "0123456789abcdef0123456789abcdef"
MACHINES = Machines.of(
    [
        Named("n1", "mac", "52:54:00:00:00:01", HERE),
        Named("n1", "ip", "192.0.2.1", HERE),
        Named("n2", "mac", "52:54:00:00:00:02", HERE),
        Named("n2", "serial", "a/b ${x} ü", HERE),
        Named("n9", "mac", "52:54:00:00:00:09", HERE),
    ]
)
CONTENTS = {
    "n1": Content("n1", b"#cloud-config\n", "11", secret=False),
    "n2": Content("n2", b"#cloud-config\n2", "22", secret=True),
}


def site(target: str = "coreos", boot: Boot | None = None) -> Site:
    return Site(target, CONTENTS, MACHINES, boot)


def ask(target: str, *, owner: str | None = None, rules: Rules | None = None, where: Site | None = None):  # type: ignore[no-untyped-def]
    found = parse(target)
    assert found is not None
    return answer(where or site(), found, "192.0.2.1", owner, rules or Rules(), "http://192.0.2.9:8080")


@pytest.mark.parametrize(
    ("target", "status", "node"),
    [
        ("/user-data?mac=525400000001", 200, "n1"),
        ("/cloud-config?mac=525400000001", 200, "n1"),
        ("/meta-data?mac=525400000001", 200, "n1"),
        ("/vendor-data?mac=525400000001", 200, "n1"),
        ("/ignition?mac=525400000001", 404, "n1"),
        ("/ipxe?mac=525400000001", 404, "n1"),
        ("/user-data?mac=525400000001&mac=525400000002", 409, ""),
        ("/user-data?mac=525400000003", 404, ""),
        ("/user-data?mac=525400000009", 404, "n9"),
        ("/user-data", 404, ""),
        ("/nothing?mac=525400000001", 404, ""),
    ],
)
def test_by_name(target: str, status: int, node: str) -> None:
    found = ask(target)
    assert (found.status, found.node) == (status, node)
    assert status == 200 or b"#cloud-config" not in found.body


def test_secrets_are_for_once_and_what_is_around_them_is_not() -> None:
    assert not ask("/user-data?mac=525400000001").once
    assert ask("/user-data?mac=525400000002").once
    assert not ask("/meta-data?mac=525400000002").once


def test_a_token_names_its_node() -> None:
    found = ask(f"/token/{TOKEN}/user-data", owner="n1")
    assert (found.status, found.node, found.by, found.once) == (200, "n1", "token", True)
    assert not ask(f"/token/{TOKEN}/meta-data", owner="n1").once
    assert ask(f"/user-data?token={TOKEN}&mac=525400000002", owner="n1").status == 409
    assert ask(f"/user-data?token={TOKEN}&mac=525400000002").status == 404
    assert ask("/user-data?token=x&mac=525400000001").status == 404


def test_who_has_no_token_learns_nothing() -> None:
    rules = Rules(require_token=True)
    known, unknown = (ask(f"/user-data?mac=52540000000{last}", rules=rules) for last in "17")
    assert known == unknown
    assert known.status == 403


def test_addresses_count_only_when_allowed_and_alone() -> None:
    assert ask("/user-data").status == 404
    assert ask("/user-data", rules=Rules(by_ip=True)).node == "n1"
    assert ask("/user-data?mac=525400000007", rules=Rules(by_ip=True)).status == 404
    assert ask("/user-data?mac=525400000002", rules=Rules(by_ip=True)).node == "n2"


def test_meta_data_is_yaml() -> None:
    found = ask("/meta-data?mac=525400000001")
    assert yaml.safe_load(found.body) == json.loads(found.body)
    assert json.loads(found.body)["local-hostname"] == "n1"


BOOT = Boot("http://192.0.2.5/vmlinuz", ("http://192.0.2.5/image.gz",), ("console=ttyS0",))


@pytest.mark.parametrize(
    ("target", "asked", "owner", "said"),
    [
        (
            "coreos",
            "/ipxe?mac=525400000001",
            None,
            "cloud-config-url=http://192.0.2.9:8080/mac/52:54:00:00:00:01/cloud-config ",
        ),
        ("ignition", "/ipxe?mac=525400000001", None, "=http://192.0.2.9:8080/mac/52:54:00:00:00:01/ignition "),
        (
            "cloud-init",
            "/ipxe?mac=525400000001",
            None,
            "ds=nocloud-net;s=http://192.0.2.9:8080/mac/52:54:00:00:00:01/ ",
        ),
        ("ignition", f"/ipxe?token={TOKEN}", "n1", f"=http://192.0.2.9:8080/token/{TOKEN}/ignition "),
        ("ignition", "/ipxe?serial=a%2Fb%20%24%7Bx%7D%20%C3%BC", None, "/serial/a%2Fb%20%24%7Bx%7D%20%C3%BC/ignition "),
        ("ignition", "/ipxe", None, "=http://192.0.2.9:8080/ignition "),
    ],
)
def test_ipxe(target: str, asked: str, owner: str | None, said: str) -> None:
    found = ask(asked, owner=owner, rules=Rules(by_ip=True), where=site(target, BOOT))
    assert found.status == 200
    assert found.body.startswith(b"#!ipxe\n")
    assert said in found.body.decode()
    path = said.partition("http://192.0.2.9:8080")[2] or said
    back = parse(path.strip() if not path.strip().endswith("/") else path.strip() + "user-data")
    assert back is not None
    assert back.page is not None


def test_the_first_script_asks_with_names() -> None:
    text = ask("/boot.ipxe", rules=Rules(require_token=True)).body.decode()
    assert text.startswith("#!ipxe\nchain ipxe?mac=${net0/mac}&")
    assert "uuid=${uuid}&serial=${serial:uristring}" in text
    assert f"ipxe?token={TOKEN}&mac" in ask(f"/boot.ipxe?token={TOKEN}").body.decode()
    assert "token" not in ask("/boot.ipxe?token=$(id)%0a").body.decode()
