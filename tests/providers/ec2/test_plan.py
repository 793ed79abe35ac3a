"""Drift and the calls, without a cloud."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coreops.providers.ec2.machines import machines
from coreops.providers.ec2.plan import plan
from coreops.providers.ec2.request import of_cluster, run_instances, tags, token
from coreops.providers.ec2.settings import read
from coreops.providers.protocol import Machine, Wanted
from tests.providers.ec2.nodes import AMI, USER_DATA, wanted


def instance(of: Wanted, state: str = "running", **more: Any) -> dict[str, Any]:
    """As DescribeInstances says it."""
    settings = read(of)
    return {
        "InstanceId": "i-1",
        "InstanceType": settings.type,
        "ImageId": settings.image_id() or "ami-from-ssm",
        "State": {"Name": state},
        "Placement": {"AvailabilityZone": "eu-west-1a"},
        "SubnetId": "subnet-a",
        "Tags": [{"Key": key, "Value": value} for key, value in tags(of, settings).items()],
        **more,
    }


def found(of: Wanted, state: str = "running", **more: Any) -> list[Machine]:
    return machines([instance(of, state, **more)], "eu-west-1", of.cluster)


def action(of: Wanted, there: list[Machine]) -> tuple[str, str]:
    (change,) = plan([of], there)
    return change.action, change.why


def test_each_fact_that_differs_is_named() -> None:
    there = found(wanted())
    for settings, why in (
        ({"type": "m7i.large"}, "type is t3.small, wanted m7i.large"),
        ({"zone": "eu-west-1b"}, "zone is eu-west-1a, wanted eu-west-1b"),
        ({"subnet": "subnet-b"}, "subnet is subnet-a, wanted subnet-b"),
        ({"ami": "ami-new"}, f"image is {AMI}, wanted ami-new"),
        ({"region": "us-east-1"}, "region is eu-west-1, wanted us-east-1"),
    ):
        assert action(wanted(**settings), there) == ("replace", why)
    assert action(wanted(zone="eu-west-1a", subnet="subnet-a"), there)[0] == "keep"


def test_an_image_of_a_parameter_does_not_drift() -> None:
    assert action(wanted(ami=None, ami_parameter="/x"), found(wanted()))[0] == "keep"


def test_states() -> None:
    assert [action(wanted(), found(wanted(), state))[0] for state in ("pending", "running", "stopping", "stopped")] == [
        "keep",
        "keep",
        "start",
        "start",
    ]
    assert [action(wanted(), found(wanted(), state))[0] for state in ("shutting-down", "terminated")] == ["create"] * 2


def test_what_is_ended_names_the_call() -> None:
    (change,) = plan([], found(wanted()))
    assert change.action == "remove"
    assert change.calls[-1] == 'eu-west-1 ec2 TerminateInstances {"InstanceIds": ["i-1"]}'
    (change,) = plan([wanted(type="t3.large")], found(wanted()))
    operations = [call.split()[2] for call in change.calls]
    assert operations.index("TerminateInstances") < operations.index("RunInstances")


def test_somebody_elses_are_no_machines_of_ours() -> None:
    theirs = instance(
        wanted(), Tags=[{"Key": "coreops:cluster", "Value": "prod"}, {"Key": "coreops:node", "Value": "n1"}]
    )
    assert machines([theirs, instance(wanted(cluster="other")), instance(wanted(), Tags=[])], "eu-west-1", "prod") == []


hostile = st.text(min_size=1, max_size=60)


@given(hostile, hostile, st.integers(0, 999))
def test_any_name_makes_a_token_and_is_found_again(node: str, cluster: str, generation: int) -> None:
    of = wanted(node, cluster)
    name = token(of, generation)
    assert len(name) <= 64
    assert name.isascii()
    assert name.replace("-", "").isalnum()
    (machine,) = found(of)
    assert machine.node == node
    assert action(of, [machine])[0] == "keep"


@given(st.text(alphabet="ab*?\\", max_size=8))
def test_wildcards_are_escaped(cluster: str) -> None:
    (value,) = of_cluster(cluster)["Filters"][0]["Values"]
    assert value.replace("\\\\", "").replace("\\*", "").replace("\\?", "").strip("ab") == ""


@given(st.binary(min_size=8, max_size=100))
def test_no_call_shows_user_data(raw: bytes) -> None:
    text = raw.hex()
    (change,) = plan([wanted(user_data=text.encode())], ())
    assert text not in " ".join(change.calls)


def test_our_tags_win() -> None:
    of = wanted(tags={"Name": "mine", "team": "a"})
    asked = run_instances(of, read(of), AMI, ("sg-1",), 0)
    labels = {pair["Key"]: pair["Value"] for pair in asked["TagSpecifications"][0]["Tags"]}
    assert labels["Name"] == "mine"
    assert labels["coreops:node"] == "n1"
    assert asked["UserData"] == USER_DATA
    assert asked["SecurityGroupIds"] == ["sg-1"]
