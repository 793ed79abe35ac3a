"""Ignition: which units start at boot, how etcd is told its options, and contents that Ignition itself cannot read."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from coreops.cloudconfig.model import Node
from coreops.cloudconfig.model.coreos import CoreOS
from coreops.cloudconfig.model.unit import DropIn, Unit
from coreops.cloudconfig.targets.ignition import render
from tests.cloudconfig.support import node
from tests.cloudconfig.targets.ignition_reading import losses, said, units
from tests.cloudconfig.targets.real_ignition import validate

_OWN = "/etc/systemd/system/x.service"


@pytest.mark.parametrize(
    ("unit", "enabled", "link", "lost"),
    [
        ("name: docker.service, command: start", True, None, []),
        ("name: x.service, command: start", None, "/usr/lib/systemd/system/x.service", []),
        ("name: x.service, enable: true", True, None, []),
        ("name: x@1.service, command: restart", None, "/usr/lib/systemd/system/x@.service", []),
        ('name: x.service, command: start, content: "[Service]\\n"', None, _OWN, []),
        ('name: x.service, enable: true, content: "[Service]\\n"', None, _OWN, ["enable"]),
        ('name: x.service, command: start, content: "[Install]\\nWantedBy=multi-user.target"', True, None, []),
        ('name: x.service, enable: true, content: "[Install]\\nWantedBy=y.service"', True, None, []),
        ('name: x.service, command: start, content: "[Install]\\n#WantedBy=multi-user.target"', None, _OWN, []),
        (
            'name: x.service, enable: true, command: start, content: "[Install]\\nWantedBy=y.service"',
            *(True, _OWN, []),
        ),
        ("name: x.service, command: stop", False, None, ["command"]),
        ("name: x.service, command: reload", None, None, ["command"]),
        ("name: x.service, command: stop, mask: true", None, None, []),
        ("name: x.service, command: start, enable: true, mask: true", None, None, ["enable", "command"]),
        ("name: a.network, command: start, content: x", None, None, []),
        ("name: a.network, mask: true", None, "/dev/null", []),
        (
            "name: a.link, mask: true, content: x, enable: true, drop_ins: [{name: a.conf, content: y}]",
            *(None, "/dev/null", ["enable", "content"]),
        ),
        ("name: a.link, enable: true, content: x", None, None, ["enable"]),
        ("name: x.service, mask: true, content: '['", None, None, ["content"]),
        ("name: x.service, mask: true, content: '[Unit]'", None, None, []),
        ("name: x@1.service, command: start, content: '[Unit]'", None, "/etc/systemd/system/x@1.service", []),
        ("name: fleet.service, command: start", None, None, ["coreos.units[fleet.service]"]),
        ("name: fleet.service, mask: true", None, None, []),
        ("name: etcd2.service, command: start", True, None, ["coreos.units[etcd2.service]"]),
    ],
)
def test_what_was_to_be_started_is_wanted(unit: str, enabled: bool | None, link: str | None, lost: list[str]) -> None:
    done = render(node(f"coreos: {{units: [{{{unit}}}]}}"))
    found = said(done.data)
    assert [each.get("enabled") for each in found.get("systemd", {}).get("units", [{}])] == [enabled]
    targets = [each["target"] for each in found.get("storage", {}).get("links", [])]
    assert targets == ([] if link is None else [link])
    assert [loss.key.partition("].")[2] or loss.key for loss in done.losses] == lost
    assert validate(done.data) == ""


def options(text: str) -> dict[str, str]:
    found = units(said(render(node(text)).data))["etcd-member.service"]["dropins"][-1]["contents"]
    lines = [line.removeprefix('Environment="').removesuffix('"') for line in found.splitlines()[1:]]
    return {line.partition("=")[0].removeprefix("ETCD_"): line.partition("=")[2] for line in lines}


def test_etcd_is_told_paths_as_its_container_sees_them() -> None:
    tls = "cert_file: /etc/etcd/pki/a.pem, key_file: /etc/etcd/pki/a-key.pem, trusted_ca_file: /etc/etcd/ca.pem"
    found = options(f"coreos: {{etcd_member: {{{tls}, data_dir: /mnt/etcd, wal_dir: /mnt/etcd/wal}}}}")
    assert found == {
        "CERT_FILE": "/etc/ssl/certs/pki/a.pem",
        "DATA_DIR": "/mnt/etcd",
        "KEY_FILE": "/etc/ssl/certs/pki/a-key.pem",
        "TRUSTED_CA_FILE": "/etc/ssl/certs/ca.pem",
        "WAL_DIR": "/var/lib/etcd/wal",
        "SSL_DIR": "/etc/etcd",
    }
    seen = "cert_file: /etc/ssl/certs/a.pem, key_file: /run/k.pem, trusted_ca_file: /var/lib/etcd/ca.pem"
    assert options(f"coreos: {{etcd_member: {{{seen}}}}}") == {
        "CERT_FILE": "/etc/ssl/certs/a.pem",
        "KEY_FILE": "/run/k.pem",
        "TRUSTED_CA_FILE": "/var/lib/etcd/ca.pem",
    }
    own = 'units: [{name: etcd-member.service, drop_ins: [{name: 30.conf, content: "[Service]\\nExecStart="}]}]'
    assert options(f"coreos: {{etcd_member: {{{tls}}}, {own}}}")["CERT_FILE"] == "/etc/etcd/pki/a.pem"
    assert losses("coreos: {etcd_member: {wal_dir: /mnt/wal}}") == [
        "coreos.etcd_member.wal_dir -- the container keeps only data_dir, /var/lib/etcd: a log outside it would be lost"
        " with the container; written as /var/lib/etcd/member/wal, where it is by default"
    ]


def test_of_several_sections_of_etcd_the_newest_counts() -> None:
    text = "coreos: {etcd2: {name: old, proxy: 'on'}, etcd_member: {name: new, enable_v2: true}}"
    assert options(text) == {"ENABLE_V2": "true", "NAME": "new"}
    assert [line.partition(" -- ")[0] for line in losses(text)] == [
        *("coreos.etcd2.name", "coreos.etcd2.proxy", "coreos.etcd_member.enable_v2")
    ]
    assert options(
        "coreos: {etcd2: {peer_ca_file: /etc/ssl/certs/ca.pem, debug: true, discovery_fallback: proxy}}"
    ) == {"PEER_TRUSTED_CA_FILE": "/etc/ssl/certs/ca.pem"}


LINES = st.sampled_from(
    (
        "[Unit]",
        "[Unit",
        "[Unit] ",
        "[Unit]x",
        "[]",
        "A=b",
        "A = b",
        " A=b",
        "A",
        "=b",
        "A=b\\",
        "\\",
        "# c\\",
        ";",
        "",
        "]",
    )
) | st.text(st.characters(codec="utf-8"), max_size=9)


@settings(max_examples=15, derandomize=True, phases=[Phase.generate])
@given(st.lists(st.lists(LINES, max_size=6).map("\n".join), min_size=20, max_size=60))
def test_no_content_of_a_unit_fails_the_boot(contents: list[str]) -> None:
    found = [
        Unit(name=f"a{index}.service", content=text, drop_ins=(DropIn(name="a.conf", content=text),))
        for index, text in enumerate(contents)
    ]
    done = render(Node(coreos=CoreOS(units=tuple(found))))
    assert not done.losses
    assert validate(done.data) == ""
