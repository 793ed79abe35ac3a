"""The ec2_* variables: what passes, and how what does not is told."""

from __future__ import annotations

from typing import Any

import pytest

from coreops.errors import InputError
from coreops.providers.ec2 import connect
from coreops.providers.ec2.settings import USER_DATA_LIMIT, read
from coreops.providers.registry import Opening
from tests.providers.ec2.nodes import AMI, WHERE, wanted

MAP = {"eu-west-1": "ami-a", "us-east-1": "ami-b"}
CHANNELS = {"stable": {"eu-west-1": "ami-s"}, "beta": {"eu-west-1": "ami-t"}}


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        ({}, AMI),
        ({"ami": MAP}, "ami-a"),
        ({"ami": CHANNELS, "channel": "beta"}, "ami-t"),
        ({"ami": {"stable": "ami-u"}, "channel": "stable"}, "ami-u"),
        ({"ami": None, "ami_parameter": "/x"}, None),
    ],
)
def test_the_image_by_region_and_channel(settings: dict[str, Any], image: str | None) -> None:
    assert read(wanted(**settings)).image_id() == image


def test_the_subnet_by_zone() -> None:
    zones = {"eu-west-1a": "subnet-a", "eu-west-1b": "subnet-b"}
    assert read(wanted(subnet=zones, zone="eu-west-1b")).subnet_id() == "subnet-b"
    assert read(wanted(subnet="subnet-a")).subnet_id() == "subnet-a"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"type": None}, "n1 has no ec2_type"),
        ({"region": "Ireland"}, "ec2_region: String should match"),
        ({"region": "eu-west-1a"}, "ec2_region: String should match"),
        ({"tpye": "x"}, "did you mean 'ec2_type'"),
        ({"ami_parameter": "/x"}, "ec2_ami or ec2_ami_parameter"),
        ({"ami": None}, "ec2_ami or ec2_ami_parameter"),
        ({"ami": {"us-east-1": "ami-b"}}, "ec2_ami has no region eu-west-1; it has us-east-1"),
        ({"ami": CHANNELS}, "ec2_ami has no region eu-west-1; it has beta, stable"),
        ({"ami": CHANNELS, "channel": "alpha"}, "ec2_ami has no channel alpha"),
        ({"zone": "us-east-1a"}, "zone us-east-1a is not in region eu-west-1"),
        ({"zone": "eu-west-10a"}, "zone eu-west-10a is not in region eu-west-1"),
        ({"subnet": {"eu-west-1a": "subnet-a"}}, "say ec2_zone"),
        ({"ssh_from": None}, "ec2_ssh_from"),
        ({"ssh_from": ["10.0.0.1/8"]}, "ec2_ssh_from.0: 10.0.0.1/8 has host bits set"),
        ({"ssh_from": "10.0.0.0/8"}, "ec2_ssh_from: Input should be a valid tuple"),
        ({"spot_max_price": "0.1"}, "needs ec2_spot: true"),
        ({"tags": {"coreops:node": "n2"}}, "are taken"),
        ({"tags": {"aws:x": "y"}}, "are taken"),
        ({"ebs": [{"device": "/dev/xvdb"}]}, "ec2_ebs.0: needs a size"),
        ({"ebs": [{"device": "/dev/xvdb", "size": 0}]}, "ec2_ebs.0.size: Input should be greater"),
        ({"ebs": [{"device": "/dev/xvdb", "size": 9, "disk": 1}]}, "ec2_ebs.0.disk: Extra inputs"),
        ({"key": ""}, "ec2_key: must be a name"),
        ({"key": "a\nb"}, "ec2_key: must be a name"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(wanted(**settings))
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{WHERE}: n1")
    assert caught.value.next


def test_user_data_fills_its_budget_and_not_a_byte_more() -> None:
    read(wanted(user_data=b"#" * USER_DATA_LIMIT))
    with pytest.raises(InputError, match="the user-data of n1 is 16385 bytes"):
        read(wanted(user_data=b"#" * (USER_DATA_LIMIT + 1)))


def opening(**nodes: dict[str, Any]) -> Opening:
    from pathlib import Path

    return Opening("prod", Path(), nodes, WHERE)


def test_it_looks_in_the_regions_of_all_nodes() -> None:
    nodes = {"n1": {"ec2_region": "eu-west-1", "ec2_regions": ["us-east-1"]}, "n2": {"ec2_region": "sa-east-1"}}
    assert connect(opening(**nodes)).regions == ("eu-west-1", "sa-east-1", "us-east-1")


@pytest.mark.parametrize("settings", [{}, {"ec2_region": "x/y"}, {"ec2_region": 7}, {"ec2_region": ["eu-west-1"]}])
def test_a_node_without_a_region_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="n1") as caught:
        connect(opening(n1=settings))
    assert caught.value.exit_code == 2
