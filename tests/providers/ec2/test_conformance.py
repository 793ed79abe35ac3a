"""EC2 keeps the rules of every provider, over the real wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coreops.providers.ec2 import Ec2
from coreops.providers.ec2.clients import Clients
from coreops.providers.protocol import Machine, Wanted
from tests.providers.conformance import CLUSTER, ProviderConformance
from tests.providers.ec2.cloud import Cloud, instances
from tests.providers.ec2.nodes import AMI, QUICK, wanted

pytestmark = pytest.mark.slow


class Rig:
    """moto, and our way to it."""

    def __init__(self, cloud: Cloud, clients: Clients) -> None:
        self.cloud = cloud
        self.clients = clients
        self.provider = Ec2(["eu-west-1"], clients=clients, patience=QUICK)

    def wanted(self, node: str, cluster: str = CLUSTER) -> Wanted:
        return wanted(node, cluster)

    def resized(self, wanted: Wanted) -> Wanted:
        return replace(wanted, settings={**wanted.settings, "ec2_type": "t3.large"})

    def ids(self) -> set[str]:
        return {name for name, each in instances("eu-west-1").items() if each.state != "terminated"}

    def stranger(self) -> str:
        client = self.clients.of("ec2", "eu-west-1")
        tags = [{"Key": "Name", "Value": "n1"}, {"Key": "coreops:cluster", "Value": CLUSTER}]
        asked = {"ImageId": AMI, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.small"}
        made = client.run_instances(**asked, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}])
        return str(made["Instances"][0]["InstanceId"])

    def lose_answers(self, count: int) -> None:
        self.cloud.faults.lose = count

    def refuse(self, told: str | None) -> None:
        self.cloud.faults.refuse = None if told is None else ("VcpuLimitExceeded", told)

    def vanish(self, machine: Machine) -> None:
        instances("eu-west-1")[machine.id].terminate()

    def settle(self) -> None:
        """create waits."""


@pytest.fixture
def rig(cloud: Cloud, clients: Clients) -> Rig:
    return Rig(cloud, clients)


class TestEc2(ProviderConformance):
    """The rules."""
