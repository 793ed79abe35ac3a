"""etcd 0.4, etcd2 and fleet."""

from __future__ import annotations

from typing import Any

from tests.cloudconfig.convert.support import has, plain, run


def flags(document: Any) -> str:
    """The drop-in that holds etcd's options."""
    unit = next(each for each in document["coreos"]["units"] if each["name"] == "etcd-member.service")
    return str(unit["drop_ins"][0]["content"])


def test_etcd2_becomes_etcd_member() -> None:
    done = run(
        "coreos:\n"
        "  etcd2: {name: n, ca-file: /ca, proxy: 'off', debug: true, log-package-levels: x, snapshot-count: 5}\n"
        "  units: [{name: etcd2.service, command: start}]"
    )
    document = plain(done)
    assert [unit["name"] for unit in document["coreos"]["units"]] == ["etcd-member.service"]
    assert document["coreos"]["units"][0]["command"] == "start"
    ca = "ETCD_TRUSTED_CA_FILE=/etc/ssl/certs/ca"
    for line in ("ETCD_NAME=n", ca, "ETCD_LOG_LEVEL=debug", "ETCD_SNAPSHOT_COUNT=5"):
        assert f'Environment="{line}"' in flags(document)
    assert has(done, "lost: coreos.etcd2 (user-data:3:3)", "not carried over", "written as")
    assert has(done, "lost: coreos.etcd2.log_package_levels (user-data:3:", "not written")
    assert has(done, "lost: coreos.etcd2.debug", "written as log_level: debug")
    assert has(done, "changed: coreos.etcd2.ca_file", "trusted_ca_file")
    assert has(done, "changed: coreos.units[etcd2.service]", "etcd-member.service")


def test_a_token_serves_one_cluster() -> None:
    assert has(run("coreos: {etcd2: {discovery: 'https://d/t'}}"), "note: coreos.etcd2.discovery", "token")


def test_a_proxy_becomes_no_member() -> None:
    done = run("coreos: {etcd2: {proxy: on, discovery: 'https://d/t'}, units: [{name: etcd2.service, command: start}]}")
    assert plain(done) == {}
    assert has(done, "lost: coreos.etcd2.discovery", "proxy")
    assert has(done, "lost: coreos.units[etcd2.service]", "proxy")


def test_etcd_0_4() -> None:
    done = run("coreos: {etcd: {name: n, addr: '10.0.0.1:4001', peer-addr: '10.0.0.1:7001', peers: a, cert_file: /c}}")
    options = flags(plain(done))
    for line in (
        "ETCD_ADVERTISE_CLIENT_URLS=https://10.0.0.1:4001",
        "ETCD_LISTEN_CLIENT_URLS=https://0.0.0.0:4001",
        "ETCD_INITIAL_ADVERTISE_PEER_URLS=http://10.0.0.1:7001",
        "ETCD_LISTEN_PEER_URLS=http://0.0.0.0:7001",
    ):
        assert f'Environment="{line}"' in options
    assert has(done, "lost: coreos.etcd.peers")


def test_etcd_0_4_beside_etcd2() -> None:
    done = run("coreos: {etcd: {name: a}, etcd2: {name: b}, units: [{name: etcd.service}, {name: etcd2.service}]}")
    assert 'ETCD_NAME=b"' in flags(plain(done))
    assert len(plain(done)["coreos"]["units"]) == 1
    assert has(done, "lost: coreos.etcd.name", "one etcd")


def test_fleet_is_lost_key_by_key() -> None:
    done = run(
        "coreos: {fleet: {public-ip: $public_ipv4, metadata: a=b}, units: [{name: fleet.socket, command: start}]}"
    )
    assert plain(done) == {}
    for key in ("coreos.fleet.public_ip", "coreos.fleet.metadata", "coreos.units[fleet.socket]"):
        assert has(done, f"lost: {key} (user-data:2:", "docs/migrating-from-coreos-cloudinit.md")


def test_dependencies_name_the_new_unit() -> None:
    unit = "[Unit]\nAfter=docker.service etcd2.service my-etcd2.service\nRequires=etcd.service\n# etcd2.service\n"
    text = f"coreos: {{etcd2: {{name: n}}, units: [{{name: a.service, content: {unit!r}}}]}}".replace("'", '"')
    for to, name in (("coreos", "etcd-member.service"), ("cloud-init", "etcd.service")):
        out = run(text, to).data.decode()
        assert f"After=docker.service {name} my-etcd2.service" in out
        assert f"Requires={name}\n" in out
        assert "# etcd2.service" in out


def test_what_a_unit_still_needs_is_said() -> None:
    unit = '"[Unit]\\nRequires=fleet.service\\n[Service]\\nExecStart=/usr/bin/fleetctl list-units\\n"'
    done = run(f"coreos: {{units: [{{name: a.service, content: {unit}}}]}}")
    assert has(done, "note: coreos.units[a.service]", "calls fleetctl")
    assert has(done, "note: coreos.units[a.service]", "does not start without fleet.service")


def test_debian_has_no_etcd_without_options() -> None:
    done = run("coreos: {units: [{name: etcd2.service, command: start}]}", "cloud-init")
    assert plain(done) == {} or plain(done) is None
    assert has(done, "lost: coreos.units[etcd2.service]", "none is installed")
