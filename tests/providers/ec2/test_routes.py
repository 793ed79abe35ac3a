"""A machine with a public address needs a way out, and its fixed address must be free."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coreops.errors import CoreopsError, InputError
from coreops.providers.ec2 import Ec2
from coreops.providers.ec2.clients import Clients
from tests.providers.ec2.cloud import Cloud, instances, way_out
from tests.providers.ec2.nodes import QUICK, wanted

pytestmark = pytest.mark.slow


def subnet(clients: Clients) -> str:
    return str(clients.of("ec2", "eu-west-1").describe_subnets()["Subnets"][0]["SubnetId"])


def test_a_network_without_a_route_is_refused_before_anything_is_made(cloud: Cloud, clients: Clients) -> None:
    name = subnet(clients)
    ec2 = Ec2(clients=clients, patience=QUICK)
    for public in (True, None):
        with pytest.raises(InputError, match=f"nobody could reach it in {name}") as caught:
            ec2.create(wanted(subnet=name, public_ip=public))
        assert "internet gateway" in (caught.value.next or "")
    assert "RunInstances" not in cloud.calls
    assert "CreateSecurityGroup" not in cloud.calls
    assert ec2.create(wanted(subnet=name, public_ip=False)).addresses
    way_out(clients.of("ec2", "eu-west-1"))
    assert Ec2(clients=clients, patience=QUICK).create(wanted("n2", subnet=name)).addresses


def test_each_subnet_is_looked_at_once(cloud: Cloud, clients: Clients) -> None:
    way_out(clients.of("ec2", "eu-west-1"))
    name = subnet(clients)
    ec2 = Ec2(clients=clients, patience=QUICK)
    cloud.calls.clear()
    for number in range(3):
        ec2.create(wanted(f"n{number}", subnet=name))
    assert cloud.calls.count("DescribeRouteTables") == 2, "its own, then that of the network"


def test_a_subnets_own_table_counts(clients: Clients) -> None:
    client = clients.of("ec2", "eu-west-1")
    way_out(client)
    table = client.create_route_table(VpcId=client.describe_vpcs()["Vpcs"][0]["VpcId"])["RouteTable"]["RouteTableId"]
    client.associate_route_table(RouteTableId=table, SubnetId=subnet(clients))
    with pytest.raises(InputError, match="nobody could reach it"):
        Ec2(clients=clients, patience=QUICK).create(wanted(subnet=subnet(clients)))


def test_a_fixed_address_is_free_when_the_machine_before_is_gone(cloud: Cloud, clients: Clients) -> None:
    ec2 = Ec2(clients=clients, patience=QUICK)
    old = ec2.create(wanted())
    ec2.destroy(old)
    state = instances("eu-west-1")[old.id]._state
    state.name = "shutting-down"
    cloud.faults.refuse = ("InvalidIPAddress.InUse", "Address 172.31.0.11 is in use.")

    def ends(seconds: float) -> None:
        state.name = "terminated"
        cloud.faults.refuse = None

    made = Ec2(clients=clients, patience=replace(QUICK, sleep=ends)).create(wanted(private_ip="172.31.0.11"))
    assert made.id != old.id
    assert cloud.calls.count("RunInstances") == 3
    cloud.faults.refuse = ("InvalidIPAddress.InUse", "Address 172.31.0.11 is in use.")
    with pytest.raises(CoreopsError, match=r"InvalidIPAddress\.InUse") as caught:
        ec2.create(wanted("n2", private_ip="172.31.0.11"))
    assert "somebody has this one" in (caught.value.next or "")
