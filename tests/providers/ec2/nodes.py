"""Nodes as an inventory wants them on EC2."""

from __future__ import annotations

from typing import Any

from coreops.model import Position
from coreops.providers.ec2.patience import Patience
from coreops.providers.protocol import Wanted

AMI = "ami-12c6146b"
SETTINGS = {"ec2_region": "eu-west-1", "ec2_type": "t3.small", "ec2_ami": AMI, "ec2_ssh_from": ["192.0.2.0/24"]}
WHERE = Position("hosts.yml", 3, 5)
USER_DATA = b"#cloud-config\nhostname: 'a node'\n"
QUICK = Patience(appear=2.0, end=5.0, pause=0.01)


def wanted(node: str = "n1", cluster: str = "prod", user_data: bytes = USER_DATA, **settings: Any) -> Wanted:
    """``zone="..."`` sets ec2_zone; None takes a variable away."""
    own = SETTINGS | {f"ec2_{key}": value for key, value in settings.items()}
    return Wanted(node, cluster, user_data, {key: value for key, value in own.items() if value is not None}, WHERE)
