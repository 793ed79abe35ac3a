from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.providers.vagrant.lab_file import KNOBS, LabFile, machines, parse

SHIPPED = Path(__file__).parents[2] / "vagrant" / "lab.yml"


def refused(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse(text, "lab.yml")
    return caught.value


def test_the_shipped_file_says_the_defaults() -> None:
    assert parse(SHIPPED.read_text(), "lab.yml") == parse("", "lab.yml") == LabFile()


def test_the_shipped_file_names_every_knob() -> None:
    named = set(re.findall(r"(?m)^(?:# )?([a-z_]+):", SHIPPED.read_text()))
    assert named == set(KNOBS)


def test_machines_have_addresses_ports_and_a_place_in_the_store() -> None:
    lab = parse("instances: 4\nname_prefix: n\nforwarded_ports: {2379: 12379}\nnetwork: 10.9.8.0/24", "lab.yml")
    found = machines(lab)
    assert [(m.name, m.member, m.address, m.ports[2379]) for m in found] == [
        ("n-01", True, "10.9.8.101", 12379),
        ("n-02", True, "10.9.8.102", 12380),
        ("n-03", True, "10.9.8.103", 12381),
        ("n-04", False, "10.9.8.104", 12382),
    ]
    assert len({m.mac for m in found}) == 4


def test_a_machine_more_leaves_the_others_as_they_are() -> None:
    few = machines(parse("instances: 3", "lab.yml"))
    assert machines(parse("instances: 5", "lab.yml"))[:3] == few


@pytest.mark.parametrize(("instances", "members"), [(1, 1), (2, 1), (3, 3), (4, 3), (7, 7), (9, 7), (99, 7)])
def test_the_store_is_as_large_as_it_can_be(instances: int, members: int) -> None:
    lab = parse(f"instances: {instances}", "lab.yml")
    assert lab.members == members
    assert sum(machine.member for machine in machines(lab)) == members


def test_our_box_is_set_up_by_cloud_init() -> None:
    assert parse("box: coreops-lab", "lab.yml").user_data == "cloud-init"
    assert parse("box: coreops-lab-ignition", "lab.yml").user_data == "ignition"
    assert refused("box: coreops-lab\nuser_data: ignition").where == "lab.yml:2:12"
    assert refused("box: coreops-lab-ignition\nuser_data: cloud-init").where == "lab.yml:2:12"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("instnces: 3", "1:1", "unknown knob 'instnces'"),
        ("- 1", "1:1", "lab.yml must be a mapping"),
        ("\n\ninstances: three", "3:12", "instances must be a number from 1 to 99"),
        ("instances: 0", "1:12", "instances must be a number"),
        ("instances: true", "1:12", "instances must be a number"),
        ("instances: 1e3", "1:12", "instances must be a number"),
        ("instances: [1]", "1:12", "instances must be a number"),
        ("instances:", "1:1", "instances has no value"),
        ("instances: 1\ninstances: 2", "2:1", "duplicate key 'instances'"),
        ("instances: 3\nmembers: 2", "2:10", "the store cannot have 2 members"),
        ("instances: 3\nmembers: 5", "2:10", "the store cannot have 5 members"),
        ("name_prefix: Core", "1:14", "'Core' cannot be the name_prefix"),
        ("name_prefix: '$(id)'", "1:14", "cannot be the name_prefix"),
        ("name_prefix: a-", "1:14", "cannot be the name_prefix"),
        ('name_prefix: "a\\nb"', "1:14", "cannot be the name_prefix"),
        ("box: ../x", "1:6", "'../x' cannot be the box"),
        ("box: [1]", "1:6", "a mapping or a list cannot be the box"),
        ("box_url: 'ftp://x y'", "1:10", "cannot be the box_url"),
        ("channel: stabel", "1:10", "channel must be one of stable, beta, alpha, lts"),
        ("user_data: yes", "1:12", "user_data must be one of"),
        ("memory: 1G", "1:9", "memory must be a number from 256 to 1048576 MiB"),
        ("cpus: 1.5", "1:7", "cpus must be a number"),
        ("network: 172.17.8.5/24", "1:10", "'172.17.8.5/24' is not a network"),
        ("network: 8.8.8.0/24", "1:10", "network must be a private network"),
        ("network: 10.0.0.0/25", "1:10", "network must be a private network"),
        ("forwarded_ports: [1]", "1:18", "forwarded_ports must be a mapping"),
        ("forwarded_ports: {80: 0}", "1:23", "a port in forwarded_ports must be a number"),
        ("forwarded_ports: {80: 8080, 81: 8080}", "1:33", "port 8080 of this machine is forwarded twice"),
        ("forwarded_ports: {80: 8080, 80: 8090}", "1:29", "duplicate key 80"),
        ("forwarded_ports: {80: 8080, 81: 8081}", "1:18", "port 8081 would be that of core-01 and of core-02"),
        ("forwarded_ports: {80: 65535}", "1:18", "core-02 would have its port 80 at 65536"),
        ("shared_folders: {./a: share}", "1:23", "shared_folders: a folder here"),
        ("shared_folders: {./a: /usr/share}", "1:23", "/usr/share cannot be a shared folder"),
        ("serial_log: 'yes'", "1:13", "serial_log must be true or false"),
        ("libvirt_driver: xen", "1:17", "libvirt_driver must be one of kvm, qemu"),
        ("a: !!python/object:os.system x", "1:1", "unknown knob"),
        ("instances: !x 3", "1:12", "the tag !x is not supported"),
        ("{", "1:2", "not valid YAML"),
    ],
)
def test_each_knob_is_checked_where_it_stands(text: str, where: str, what: str) -> None:
    error = refused(text)
    assert error.where == f"lab.yml:{where}"
    assert what in error.what


def test_a_slip_is_guessed() -> None:
    assert "did you mean 'instances'?" in str(refused("instnces: 3"))
    assert "did you mean 'stable'?" in str(refused("channel: stabel"))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(scalars, inner, max_size=2))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(KNOBS)), values, max_size=3))
def test_anything_is_understood_or_refused_with_its_place(document: dict[str, object]) -> None:
    where = "lab.yml:"
    try:
        lab = parse(yaml.safe_dump(document), "lab.yml")
    except InputError as error:
        where = str(error.where)
    else:
        assert len(machines(lab)) == lab.instances
    assert where.startswith("lab.yml:")
