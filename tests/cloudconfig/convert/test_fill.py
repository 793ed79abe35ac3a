"""Addresses: given, filled in by the platform, read on the node by units, or an error with every place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coreops.cloudconfig.convert import metadata
from coreops.cloudconfig.platforms.platform import VARIABLES
from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.errors import InputError
from tests.cloudconfig.convert.support import has, plain, run

ETCD = """\
coreos:
  etcd2:
    name: n1
    listen-peer-urls: http://$private_ipv4:2380
  units:
    - {name: etcd2.service, command: start}
"""
SERVICE = """\
coreos:
  units:
    - name: web.service
      command: start
      content: |
        [Service]
        # listens on $private_ipv4
        ExecStart=/usr/bin/docker run \\
          -p $private_ipv4:80:80 nginx
        ExecStop=/bin/echo \\$private_ipv4 100%
"""


def units(data: bytes) -> dict[str, Any]:
    return {unit["name"]: unit for unit in json.loads(data)["systemd"]["units"]}


def test_given_addresses_are_filled_in() -> None:
    done = run(
        "write_files: [{path: /a, content: '$public_ipv4 \\$public_ipv4'}]", "cloud-init", public_ipv4="192.0.2.1"
    )
    assert plain(done)["write_files"][0]["content"] == "192.0.2.1 $public_ipv4"


def test_encoded_content_was_never_filled_in() -> None:
    done = run("write_files: [{path: /a, encoding: b64, content: 'JHByaXZhdGVfaXB2NA=='}]", "cloud-init")
    assert plain(done)["write_files"][0]["content"] == "JHByaXZhdGVfaXB2NA=="


def test_the_platform_fills_in_for_coreos() -> None:
    assert "listen" in run(ETCD, "coreos", "ec2").data.decode().lower()
    assert "$private_ipv4" in run(ETCD, "coreos", "ec2").data.decode()


@pytest.mark.parametrize("target", ["cloud-init", "ignition", "butane", "coreos"])
def test_nobody_knows(target: str) -> None:
    with pytest.raises(InputError) as caught:
        run(f"{ETCD}write_files: [{{path: /a, content: $private_ipv4}}]\n", target)
    assert caught.value.where == "user-data:5:23"
    assert "1 more place:\n    user-data:8:35: nobody knows $private_ipv4" in str(caught.value.why)
    assert "--address private_ipv4=ADDRESS" in str(caught.value.next)
    assert ("--platform" in str(caught.value.next)) == (target != "cloud-init")


def test_etcd_reads_its_addresses_on_the_node() -> None:
    done = run(ETCD, "ignition", "ec2")
    dropins = {each["name"]: each["contents"] for each in units(done.data)["etcd-member.service"]["dropins"]}
    own = dropins["30-coreops-addresses.conf"]
    assert "Requires=coreos-metadata.service\nAfter=coreos-metadata.service\n" in own
    assert "EnvironmentFile=/run/metadata/flatcar\n" in own
    assert '"ETCD_LISTEN_PEER_URLS=http://${COREOS_EC2_IPV4_LOCAL}:2380"' in own
    assert 'Environment="ETCD_NAME=n1"' in dropins["20-coreops.conf"]
    assert "LISTEN_PEER" not in dropins["20-coreops.conf"]
    assert has(done, "changed: coreos.etcd2.listen_peer_urls (user-data:5:23)", "/run/metadata/flatcar")


def test_etcd_without_a_unit_of_its_own_and_without_other_options() -> None:
    done = run("coreos: {etcd2: {listen-peer-urls: 'http://$private_ipv4:2380'}}", "butane", "gce")
    found = next(unit for unit in plain(done)["systemd"]["units"] if unit["name"] == "etcd-member.service")
    assert "${COREOS_GCE_IP_LOCAL_0}" in found["dropins"][0]["contents"]


def test_an_option_that_a_command_line_cannot_hold() -> None:
    with pytest.raises(InputError) as caught:
        run("coreos: {etcd2: {name: 'a \" $private_ipv4'}}", "ignition", "ec2")
    assert caught.value.where == "user-data:2:24"


def test_command_lines_read_addresses_on_the_node() -> None:
    done = run(SERVICE, "ignition", "digitalocean")
    unit = units(done.data)["web.service"]
    assert "-p ${COREOS_DIGITALOCEAN_IPV4_PRIVATE_0}:80:80" in unit["contents"]
    assert "# listens on $private_ipv4\n" in unit["contents"]
    assert "echo $private_ipv4 100%" in unit["contents"]
    assert "EnvironmentFile=/run/metadata/flatcar" in unit["dropins"][0]["contents"]
    assert has(done, "changed: coreos.units[web.service]", "command lines")


def test_command_lines_that_used_etc_environment() -> None:
    content = (
        "[Service]\\nEnvironmentFile=/etc/environment\\nExecStart=/a ${COREOS_PRIVATE_IPV4} $$COREOS_PUBLIC_IPV4\\n"
    )
    done = run(f'coreos: {{units: [{{name: a.service, content: "{content}"}}]}}', "ignition", "ec2")
    assert "/a ${COREOS_EC2_IPV4_LOCAL} $$COREOS_EC2_IPV4_PUBLIC\n" in units(done.data)["a.service"]["contents"]
    assert done.losses == ()


def test_a_given_address_wins_over_the_platform() -> None:
    done = run(SERVICE, "ignition", "digitalocean", private_ipv4="10.0.0.1")
    assert "-p 10.0.0.1:80:80" in units(done.data)["web.service"]["contents"]
    assert "dropins" not in units(done.data)["web.service"]


@pytest.mark.parametrize(
    "text",
    [
        "write_files: [{path: /a, content: $private_ipv4}]",
        "hostname: core-$private_ipv4",
        "coreos: {units: [{name: a.service, content: 'Environment=A=$private_ipv4'}]}",
        "coreos: {units: [{name: a.socket, content: 'ExecStart=/a $private_ipv4'}]}",
        "coreos: {flannel: {public_ip: $private_ipv4}}",
    ],
)
def test_where_no_unit_can_read_it(text: str) -> None:
    with pytest.raises(InputError) as caught:
        run(text, "ignition", "ec2")
    assert str(caught.value.where).startswith("user-data:2:")
    assert "COREOS_EC2_IPV4_LOCAL in /run/metadata/flatcar" in str(caught.value.why)


def test_what_is_lost_needs_no_address() -> None:
    text = "coreos: {fleet: {public-ip: $public_ipv4}, flannel: {interface: $public_ipv4}}"
    assert has(run(text, "cloud-init"), "lost: coreos.flannel.interface")
    assert has(run(text.replace("flannel", "oem").replace("interface", "id"), "ignition"), "lost: coreos.oem.id")


def test_a_word_of_which_a_variable_is_the_beginning() -> None:
    with pytest.raises(InputError, match=r"\$private_ipv4x would become"):
        run("write_files: [{path: /a, content: $private_ipv4x}]", private_ipv4="10.0.0.1")


def test_the_table_names_platforms_and_variables_that_there_are() -> None:
    assert set(metadata.VARIABLES) <= set(PLATFORMS)
    assert {name for each in metadata.VARIABLES.values() for name in each} <= set(VARIABLES)


def test_a_drop_in_of_etcd_that_uses_an_address_too() -> None:
    drop_in = "drop_ins: [{name: 1.conf, content: 'ExecStartPre=/bin/echo $private_ipv4'}]"
    done = run(ETCD.replace("command: start", f"command: start, {drop_in}"), "ignition", "ec2")
    dropins = {each["name"]: each["contents"] for each in units(done.data)["etcd-member.service"]["dropins"]}
    assert sorted(dropins) == ["1.conf", "20-coreops.conf", "30-coreops-addresses.conf"]
    assert dropins["1.conf"] == "ExecStartPre=/bin/echo ${COREOS_EC2_IPV4_LOCAL}"


def test_a_comment_alone_needs_nothing() -> None:
    done = run("coreos: {units: [{name: a.service, content: '# $private_ipv4'}]}", "ignition", "ec2")
    assert units(done.data)["a.service"] == {"name": "a.service", "contents": "# $private_ipv4"}
