"""What is special to EC2: tokens, tags, security groups, regions, consoles; over the wire, with EC2's own habits."""

from __future__ import annotations

import base64
import json
import re
import sys
from dataclasses import replace

import pytest

from coreops.errors import CoreopsError, InputError, RefusedError
from coreops.events import Event, Notice
from coreops.providers.ec2 import Ec2, looks, provider
from coreops.providers.ec2.clients import Clients
from coreops.providers.ec2.launch import Launch
from coreops.providers.ec2.looks import Looks
from coreops.providers.ec2.request import group_name, token
from coreops.providers.protocol import mark
from tests.providers.ec2.cloud import Cloud, instances
from tests.providers.ec2.nodes import AMI, QUICK, USER_DATA, wanted
from tests.providers.ec2.test_host_keys import ED25519, printed

pytestmark = pytest.mark.slow

SSM = "/coreops/ami"


@pytest.fixture
def ec2(clients: Clients) -> Ec2:
    return Ec2(clients=clients, patience=QUICK)


def live(region: str = "eu-west-1") -> list[str]:
    return sorted(name for name, each in instances(region).items() if each.state != "terminated")


def test_what_is_asked_of_ec2(ec2: Ec2, cloud: Cloud) -> None:
    disk = {"device": "/dev/xvdb", "size": 20, "iops": 3000}
    ec2.create(wanted(spot=True, spot_max_price=0.05, ebs=[disk], tags={"team": "a & b"}, zone="eu-west-1a"))
    asked = {
        key: values[0] for form in cloud.asked if form["Action"] == ["RunInstances"] for key, values in form.items()
    }
    assert asked["MetadataOptions.HttpTokens"] == "required"
    assert asked["ClientToken"] == mark("prod", "n1") + "-0"
    assert asked["MinCount"] == asked["MaxCount"] == "1"
    assert asked["InstanceMarketOptions.MarketType"] == "spot"
    assert asked["InstanceMarketOptions.SpotOptions.MaxPrice"] == "0.05"
    assert asked["BlockDeviceMapping.1.Ebs.Encrypted"] == "true"
    assert asked["Placement.AvailabilityZone"] == "eu-west-1a"
    (machine,) = ec2.observe("prod")
    assert machine.facts["market"] == "spot"
    assert base64.b64decode(asked["UserData"]) == USER_DATA


def test_check_prints_every_call_that_create_makes(ec2: Ec2, cloud: Cloud, clients: Clients) -> None:
    clients.of("ssm", "eu-west-1").put_parameter(Name=SSM, Value=AMI, Type="String")
    cloud.calls.clear()
    for node in (wanted(), wanted("n2", ami=None, ami_parameter=SSM)):
        (change,) = ec2.plan([node], ())
        assert cloud.calls == [], "a plan calls nobody"
        ec2.create(node)
        printed = {call.split()[2] for call in change.calls}
        assert set(cloud.calls) <= printed
        for call in change.calls:
            json.JSONDecoder().raw_decode(call.split(maxsplit=3)[3])
        cloud.calls.clear()


def test_user_data_that_differs_is_no_reason_to_replace(ec2: Ec2) -> None:
    made = ec2.create(wanted())
    (change,) = ec2.plan([wanted(user_data=b"#cloud-config\n")], [made])
    assert change.action == "keep"
    assert "user-data" in change.why


def test_a_machine_that_is_not_shown_yet_is_waited_for(ec2: Ec2, cloud: Cloud) -> None:
    cloud.faults.hidden = 4
    made = ec2.create(wanted())
    assert live() == [made.id]


def test_a_machine_that_is_not_shown_to_the_second_run_is_not_made_twice(ec2: Ec2, cloud: Cloud) -> None:
    made = ec2.create(wanted())
    cloud.faults.hidden = 1
    assert ec2.create(wanted()).id == made.id
    cloud.faults.hidden = 3
    assert ec2.create(wanted(type="t3.large")).id == made.id, "not even when the variables changed meanwhile"
    assert live() == [made.id]


def test_an_ended_node_is_made_anew_with_the_next_token(ec2: Ec2, cloud: Cloud) -> None:
    first = ec2.create(wanted())
    ec2.destroy(first)
    cloud.faults.hidden = 1  # EC2 forgets ended machines after an hour, their tokens later
    second = ec2.create(wanted())
    assert live() == [second.id]
    assert instances("eu-west-1")[second.id].client_token == token(wanted(), 1)
    ec2.destroy(second)
    cloud.calls.clear()
    ec2.create(wanted())
    assert cloud.calls.count("RunInstances") == 1, "tokens of machines that are shown as ended are passed over"


def test_throttling_is_waited_out(cloud: Cloud) -> None:
    cloud.faults.throttle = 1
    assert Ec2(["eu-west-1"]).observe("prod") == ()
    assert cloud.calls == ["DescribeInstances"] * 2


def test_an_answer_that_makes_no_sense_is_an_error(ec2: Ec2, cloud: Cloud) -> None:
    cloud.faults.lose = 1
    with pytest.raises(CoreopsError, match="creating it in eu-west-1 failed") as caught:
        ec2.create(wanted())
    assert caught.value.next
    ec2.create(wanted())
    assert len(live()) == 1


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("InsufficientInstanceCapacity", "ec2_zone"),
        ("UnauthorizedOperation", "policy"),
        ("VcpuLimitExceeded", "Service Quotas"),
        ("SomethingNew", "correct what EC2 names"),
    ],
)
def test_a_refusal_is_verbatim_with_the_next_step(ec2: Ec2, cloud: Cloud, code: str, step: str) -> None:
    cloud.faults.refuse = (code, "We do not have <sufficient> t3 capacity: $(x)")
    with pytest.raises(CoreopsError) as caught:
        ec2.create(wanted())
    assert caught.value.why == f"{code}: We do not have <sufficient> t3 capacity: $(x)"
    assert step in (caught.value.next or "")
    assert caught.value.where == "n1"


def test_an_unknown_image_or_subnet_is_named(ec2: Ec2) -> None:
    with pytest.raises(CoreopsError, match=r"InvalidSubnetID.NotFound.*subnet-1(.|\n)*ec2_subnet"):
        ec2.create(wanted(subnet="subnet-1"))
    with pytest.raises(CoreopsError, match=r"ParameterNotFound(.|\n)*ec2_ami_parameter"):
        ec2.create(wanted(ami=None, ami_parameter="/no/such"))
    assert live() == []


def test_a_parameter_may_hold_json_and_must_hold_an_ami(ec2: Ec2, clients: Clients) -> None:
    ssm = clients.of("ssm", "eu-west-1")
    ssm.put_parameter(Name=SSM, Value=json.dumps({"image_id": AMI}), Type="String")
    ssm.put_parameter(Name="/other", Value="hello", Type="String")
    assert ec2.create(wanted(ami=None, ami_parameter=SSM)).facts["image"] == AMI
    with pytest.raises(CoreopsError, match="holds no AMI"):
        ec2.create(wanted("n2", ami=None, ami_parameter="/other"))


def test_the_security_group_is_the_least_and_goes_with_the_last_machine(ec2: Ec2, clients: Clients) -> None:
    client = clients.of("ec2", "eu-west-1")

    def groups() -> list[dict[str, object]]:
        found = client.describe_security_groups()["SecurityGroups"]
        return [group for group in found if group["GroupName"] == group_name("prod")]

    made = [ec2.create(wanted(f"n{number}", ssh_from=["192.0.2.0/24", "2001:db8::/32"])) for number in (1, 2)]
    (group,) = groups()
    allowed = {
        (
            rule["FromPort"],
            rule["ToPort"],
            len(rule["UserIdGroupPairs"]),
            len(rule["IpRanges"]),
            len(rule["Ipv6Ranges"]),
        )
        for rule in group["IpPermissions"]  # type: ignore[attr-defined]
    }
    assert allowed == {(2379, 2380, 1, 0, 0), (22, 22, 0, 1, 1)}
    Ec2(clients=clients, patience=QUICK).create(wanted("n3"))
    assert len(groups()) == 1, "another run finds it, and its rules, there"
    for machine in (*made, *ec2.observe("prod")):
        assert groups()
        ec2.destroy(machine)
    assert not groups()
    ec2.create(wanted())
    assert len(groups()) == 1


def test_a_group_of_that_name_that_is_not_ours_is_left_alone(ec2: Ec2, clients: Clients) -> None:
    client = clients.of("ec2", "eu-west-1")
    vpc = client.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = client.create_security_group(GroupName=group_name("prod"), Description="theirs", VpcId=vpc)["GroupId"]
    with pytest.raises(RefusedError, match="has the name"):
        ec2.create(wanted())
    (group,) = client.describe_security_groups(GroupIds=[made])["SecurityGroups"]
    assert group["IpPermissions"] == []


def test_own_groups_are_taken_as_they_are(ec2: Ec2, clients: Clients, cloud: Cloud) -> None:
    client = clients.of("ec2", "eu-west-1")
    vpc = client.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = client.create_security_group(GroupName="mine", Description="mine", VpcId=vpc)["GroupId"]
    cloud.calls.clear()
    ec2.create(wanted(security_groups=[group], ssh_from=None))
    assert "CreateSecurityGroup" not in cloud.calls
    assert "AuthorizeSecurityGroupIngress" not in cloud.calls


def test_a_private_machine_in_a_subnet(ec2: Ec2, clients: Clients) -> None:
    subnet = clients.of("ec2", "eu-west-1").describe_subnets()["Subnets"][0]
    address = re.sub(r"\d+/\d+$", "77", subnet["CidrBlock"])
    made = ec2.create(wanted(subnet=subnet["SubnetId"], public_ip=False, private_ip=address))
    assert made.addresses == {"private_ipv4": address}
    assert made.facts["subnet"] == subnet["SubnetId"]


def test_a_region_without_a_default_vpc_needs_a_subnet(ec2: Ec2, clients: Clients) -> None:
    client = clients.of("ec2", "eu-west-1")
    for subnet in client.describe_subnets()["Subnets"]:
        client.delete_subnet(SubnetId=subnet["SubnetId"])
    client.delete_vpc(VpcId=client.describe_vpcs()["Vpcs"][0]["VpcId"])
    with pytest.raises(InputError, match="no default VPC") as caught:
        ec2.create(wanted())
    assert caught.value.next == "set ec2_subnet"


def test_machines_are_found_over_regions(ec2: Ec2, clients: Clients) -> None:
    regions = ("eu-west-1", "us-east-1", "ap-southeast-2")
    for number, region in enumerate(regions):
        ec2.create(wanted(f"n{number}", region=region))
    found = Ec2(regions, clients=clients).observe("prod")
    assert [(each.node, each.facts["region"]) for each in found] == [(f"n{n}", r) for n, r in enumerate(regions)]
    assert Ec2(["eu-north-1"], clients=clients).observe("prod") == ()


def test_machines_are_found_over_pages(ec2: Ec2, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        last = ec2.create(wanted(f"n{number}"))
    monkeypatch.setattr(looks, "PAGE", 5)
    monkeypatch.setattr(provider, "_FEW", 5)
    assert len(ec2.observe("prod")) == 7
    ec2.destroy(last)
    assert len(live()) == 6


def test_a_cluster_named_like_a_pattern_finds_only_itself(ec2: Ec2) -> None:
    ec2.create(wanted(cluster="prod"))
    assert ec2.observe("pro*") == ()


def test_a_copied_tag_is_not_a_mark(ec2: Ec2, clients: Clients) -> None:
    made = ec2.create(wanted())
    clients.of("ec2", "eu-west-1").create_tags(Resources=[made.id], Tags=[{"Key": "coreops:node", "Value": "n2"}])
    assert ec2.observe("prod") == ()
    for act in (ec2.destroy, lambda machine: ec2.power(machine, "off")):
        with pytest.raises(RefusedError, match="does not carry the mark of n1"):
            act(made)
    with pytest.raises(RefusedError):
        ec2.destroy(replace(made, node="n2"))
    assert live() == [made.id]


def test_a_machine_of_a_scaling_group_is_recognised(ec2: Ec2, clients: Clients) -> None:
    made = ec2.create(wanted())
    client = clients.of("ec2", "eu-west-1")
    tags = client.describe_instances(InstanceIds=[made.id])["Reservations"][0]["Instances"][0]["Tags"]
    client.terminate_instances(InstanceIds=[made.id])
    asked = {"ImageId": AMI, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.small", "ClientToken": "asg"}
    name = {"Key": "aws:autoscaling:groupName", "Value": "workers"}
    specification = [{"ResourceType": "instance", "Tags": tags}]
    new = client.run_instances(**asked, TagSpecifications=specification)["Instances"][0]["InstanceId"]
    instances("eu-west-1")[new].add_tags({name["Key"]: name["Value"]})
    found = ec2.observe("prod")
    assert [each.id for each in found] == [new]
    (change,) = ec2.plan([wanted()], found)
    assert change.action == "keep"
    assert ec2.create(wanted()).id == new


def test_two_machines_of_one_node_are_left_to_the_operator(ec2: Ec2, clients: Clients) -> None:
    made = ec2.create(wanted())
    client = clients.of("ec2", "eu-west-1")
    tags = client.describe_instances(InstanceIds=[made.id])["Reservations"][0]["Instances"][0]["Tags"]
    asked = {"ImageId": AMI, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.small", "ClientToken": "by-hand"}
    client.run_instances(**asked, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}])
    found = ec2.observe("prod")
    assert len(found) == 2
    (change,) = ec2.plan([wanted(type="t3.large")], found)
    assert (change.action, change.calls) == ("keep", ())
    assert "2 machines carry its mark" in change.why
    with pytest.raises(RefusedError, match="two machines"):
        ec2.create(wanted())


def end(machine: str, code: str) -> None:
    """As EC2 ends a machine by itself."""
    instance = instances("eu-west-1")[machine]
    instance.terminate()
    instance.state_reason.code, instance.state_reason.message = code, f"{code}: for the test"


def test_a_spot_machine_that_was_taken_back_is_told_and_made_anew(clients: Clients) -> None:
    heard: list[Event] = []
    ec2 = Ec2(clients=clients, patience=QUICK, emit=heard.append)
    made = ec2.create(wanted(spot=True))
    end(made.id, "Server.SpotInstanceTermination")
    assert ec2.observe("prod") == ec2.observe("prod") == ()
    (notice,) = heard
    assert isinstance(notice, Notice)
    assert notice.host == "n1"
    assert f"{made.id} has ended: Server.SpotInstanceTermination" in notice.text
    assert ec2.create(wanted(spot=True)).id != made.id
    ec2.destroy(ec2.observe("prod")[0])
    assert ec2.observe("prod") == ()
    assert len(heard) == 1, "what was asked for is not told"


def test_a_machine_that_ec2_ends_at_once_is_told_with_its_reason(ec2: Ec2, clients: Clients, cloud: Cloud) -> None:
    made = ec2.create(wanted())
    end(made.id, "Client.VolumeLimitExceeded")
    client = clients.of("ec2", "eu-west-1")
    with pytest.raises(CoreopsError, match="EC2 ended the machine") as caught:
        Launch(client, Looks(client), wanted(), QUICK).shown(made.id)
    assert (caught.value.why or "").startswith("Client.VolumeLimitExceeded")
    assert "Service Quotas" in (caught.value.next or "")


def test_a_token_that_answers_with_an_ended_machine_is_spent(ec2: Ec2, cloud: Cloud) -> None:
    first = ec2.create(wanted())
    cloud.faults.stale_tokens = True
    ec2.destroy(first)
    cloud.faults.hidden = 1
    second = ec2.create(wanted())
    assert live() == [second.id] != [first.id]


def test_host_keys_come_from_the_console(ec2: Ec2, cloud: Cloud) -> None:
    made = ec2.create(wanted())
    assert ec2.host_keys(made) == ()
    cloud.faults.consoles[made.id] = "booting: ü\n" + printed([ED25519])
    assert ec2.host_keys(made) == (ED25519,)
    assert b"booting: \xc3\xbc" in b"".join(ec2.console(made))
    cloud.faults.slow_console = True
    assert ec2.host_keys(made) == (ED25519,)
    cloud.calls.clear()
    assert ec2.host_keys(made) == (ED25519,)
    assert cloud.calls == ["GetConsoleOutput"], "what a type cannot do is asked for once"


def test_a_console_that_lost_its_beginning_is_not_all_there_is(ec2: Ec2, cloud: Cloud) -> None:
    made = ec2.create(wanted())
    cloud.faults.consoles[made.id] = "later\n" * 11_000
    cloud.faults.first_consoles[made.id] = printed([ED25519])
    assert ec2.host_keys(made) == (ED25519,)


def test_without_boto3_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(InputError, match="needs boto3") as caught:
        Ec2(["eu-west-1"]).observe("prod")
    assert caught.value.next == "pip install 'coreops[ec2]'"


def test_without_credentials_nothing_is_touched(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match="no AWS credentials"):
        Ec2(patience=QUICK).create(wanted())
    assert cloud.calls == []


def test_a_region_that_does_not_answer_is_an_error_not_an_absence(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coreops.providers.ec2.clients.ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(CoreopsError, match="cannot reach EC2 in eu-wst-1") as caught:
        Ec2(["eu-wst-1"]).observe("prod")
    assert caught.value.next == "did you mean 'eu-west-1'?"
