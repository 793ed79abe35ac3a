"""Machines are looked up on EC2, by mark or by tags, over regions; and what took whose place is seen."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.inventory import load_inventory
from coreops.providers.ec2 import Ec2
from coreops.providers.ec2.clients import Clients
from tests.providers.ec2.cloud import Cloud, instances
from tests.providers.ec2.nodes import AMI, QUICK, wanted
from tests.providers.ec2.test_host_keys import ED25519, printed

pytestmark = pytest.mark.slow

REGIONS = ("eu-west-1", "us-east-1")


def stranger(clients: Clients, region: str, **tags: str) -> str:
    asked = {"ImageId": AMI, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.small", "ClientToken": str(tags)}
    labels = [{"Key": key, "Value": value} for key, value in tags.items()]
    specification = [{"ResourceType": "instance", "Tags": labels}]
    made = clients.of("ec2", region).run_instances(**asked, TagSpecifications=specification)
    return str(made["Instances"][0]["InstanceId"])


def test_by_tags_whoever_made_them(cloud: Cloud, clients: Clients) -> None:
    web = stranger(clients, "eu-west-1", Name="web", team="ops")
    bare = stranger(clients, "us-east-1", team="ops")
    stranger(clients, "us-east-1", Name="other", team="o*")
    ours = Ec2(clients=clients, patience=QUICK).create(wanted(tags={"team": "ops", "Name": "mine"}))
    ec2 = Ec2(REGIONS, clients=clients)
    found = {each.node: each for each in ec2.find({"team": "ops"})}
    assert {node: each.id for node, each in found.items()} == {"web": web, bare: bare, "n1": ours.id}
    assert found["web"].facts["tag:team"] == "ops"
    assert found["n1"].facts["tag:Name"] == "mine"
    assert not any(fact.startswith("tag:coreops") for fact in found["n1"].facts)
    assert {each.node for each in ec2.find({"team": "o*"})} == {"other"}, "no tag is a pattern"
    clients.of("ec2", "eu-west-1").terminate_instances(InstanceIds=[web])
    assert "web" not in {each.node for each in ec2.find({"team": "ops"})}


def test_an_inventory_over_regions(
    cloud: Cloud, clients: Clients, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ec2 = Ec2(clients=clients, patience=QUICK)
    for node, region, role in (("n1", "eu-west-1", "store"), ("w1", "us-east-1", "worker")):
        made = ec2.create(wanted(node, region=region, tags={"role": role}))
        cloud.faults.consoles[made.id] = printed([ED25519])
    path = tmp_path / "prod.coreops.yml"
    path.write_text(
        "provider: ec2\ncluster: prod\nec2_regions: [eu-west-1, us-east-1]\nhost_keys: true\n"
        "groups: {store: {tag:role: store}}\ngroup_by: [region]\n"
    )
    assert dispatch(["inventory", "list", "store:region_us_east_1", "-i", str(path)]) == 0
    assert capsys.readouterr().out.split() == ["n1", "w1"]
    assert len((tmp_path / "known_hosts").read_text().splitlines()) == 2
    cloud.calls.clear()
    assert dispatch(["inventory", "list", "-i", str(path)]) == 0
    assert cloud.calls == []
    assert load_inventory(path).vars("w1")["zone"].startswith("us-east-1")
    assert dispatch(["inventory", "list", "--refresh", "-i", str(path)]) == 0
    assert cloud.calls == ["DescribeInstances"] * 2, "one a region, and no console twice"
    capsys.readouterr()
    path.write_text(path.read_text().replace("[eu-west-1, us-east-1]", "[eu-west]"))
    assert dispatch(["inventory", "list", "-i", str(path)]) == 2
    assert "'eu-west' is no region of EC2" in capsys.readouterr().err


INVENTORY = """\
all:
  vars:
    provider: ec2
    cluster: prod
    ec2_type: t3.small
    ec2_ami: {AMI}
    ec2_ssh_from: [192.0.2.0/24]
    node_ssh_keys: ["ssh-ed25519 AAAA a@b"]
  hosts:
    n1: {ec2_region: eu-west-1}
    n2: {ec2_region: us-east-1}
    n3: {ec2_region: us-east-1}
"""


@pytest.fixture
def here(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts.yml").write_text(INVENTORY.replace("{AMI}", AMI))
    # whoever has an authority for host keys needs no console
    (tmp_path / "known_hosts").write_text(f"@cert-authority * {ED25519}\n")
    return tmp_path


def states(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return {line.split()[1]: line.split()[0] for line in capsys.readouterr().out.splitlines()}


def test_a_region_that_refuses_fails_its_own_and_a_second_run_finishes(
    here: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.faults.refuse, cloud.faults.refuse_in = ("InvalidAMIID.NotFound", "it does not exist"), "us-east-1"
    assert dispatch(["provision", "hosts.yml"]) == 1
    shown = capsys.readouterr()
    assert [line.split()[:2] for line in shown.out.splitlines()] == [
        ["created", "n1"],
        ["failed", "n2"],
        ["failed", "n3"],
    ]
    told = shown.err[shown.err.index("coreops: ") :]
    assert told.count("InvalidAMIID.NotFound: it does not exist") == 1, "one mistake is told once"
    assert told.count("an AMI belongs to one region") == 1
    assert "also: n3" in told
    cloud.faults.refuse = None
    cloud.faults.throttle, cloud.faults.hidden = 2, 1
    assert dispatch(["provision", "hosts.yml"]) == 0
    done = states(capsys)
    assert done.pop("n1") in ("kept", "created"), "EC2 may hide it from the first look; the token finds it"
    assert done == {"n2": "created", "n3": "created"}
    assert sum(len(instances(region)) for region in REGIONS) == 3


def test_a_machine_of_a_scaling_group_in_the_place_of_another(
    here: Path, cloud: Cloud, clients: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "known_hosts").unlink()
    assert dispatch(["provision", "hosts.yml", "--limit", "n1", "--wait", "0"]) == 1
    (old,) = instances("eu-west-1")
    cloud.faults.consoles[old] = printed([ED25519])
    assert dispatch(["provision", "hosts.yml", "--limit", "n1"]) == 0
    assert ED25519 in (here / "known_hosts").read_text()
    client = clients.of("ec2", "eu-west-1")
    tags = client.describe_instances(InstanceIds=[old])["Reservations"][0]["Instances"][0]["Tags"]
    client.terminate_instances(InstanceIds=[old])
    new = stranger(clients, "eu-west-1", **{tag["Key"]: tag["Value"] for tag in tags})
    instances("eu-west-1")[new].add_tags({"aws:autoscaling:groupName": "store"})
    capsys.readouterr()
    assert dispatch(["plan", "hosts.yml", "--limit", "n1"]) == 0
    assert f"{new} has taken the place of {old} (scaling group store)" in capsys.readouterr().out
    assert dispatch(["provision", "hosts.yml", "--limit", "n1", "--wait", "0"]) == 1
    assert (
        f"{new} has taken the place of {old}, whose host keys are no longer in known_hosts" in capsys.readouterr().err
    )
    assert (here / "known_hosts").read_text() == "", "nothing is trusted until the new console says so"
    learned = json.loads((here / ".coreops" / "machines.json").read_text())["machines"]["n1"]
    assert (learned["id"], learned["host_keys"]) == (new, [])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ec2_type: t3.small", "ec2_tpye: t3.small", "did you mean 'ec2_type'?"),
        ("eu-west-1}", "Europe}", "'Europe' is no region of EC2"),
        ("eu-west-1}", "eu-west-1, ec2_zone: us-east-1a}", "zone us-east-1a is not in region eu-west-1"),
        (
            "node_ssh_keys",
            "node: {write_files: [{path: /etc/x, content: BIG}]}\n    node_ssh_keys",
            "bytes too many for ec2",
        ),
    ],
)
def test_bad_input_is_one_error_and_makes_nothing(
    here: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    path = here / "hosts.yml"
    noise = "".join(sha256(bytes([number])).hexdigest() for number in range(256)) * 2
    noise += "".join(sha256(str(number).encode()).hexdigest() for number in range(900))
    path.write_text(path.read_text().replace(old, new).replace("BIG", noise))
    assert dispatch(["provision", "hosts.yml"]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("coreops: ") == 1
    assert set(cloud.calls) <= {"DescribeInstances"}


def test_no_credentials_is_one_error(
    here: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert dispatch(["provision", "hosts.yml"]) == 2
    told = capsys.readouterr().err
    assert told.count("coreops: ") == 1
    assert "there are no AWS credentials" in told
    assert "AWS_PROFILE" in told
    assert cloud.calls == []


def test_an_unknown_region_is_told_soon(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    path = here / "hosts.yml"
    path.write_text(path.read_text().replace("us-east-1", "eu-wst-1").replace("eu-west-1", "eu-wst-1"))
    assert dispatch(["provision", "hosts.yml"]) == 2
    assert "did you mean 'eu-west-1'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "step"), [("InvalidInstanceType", "correct ec2_type"), ("InvalidAMIID.Malformed", "correct ec2_ami")]
)
def test_what_only_ec2_knows_is_told_once_for_all(
    here: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str], code: str, step: str
) -> None:
    cloud.faults.refuse = (code, "The following supplied values are invalid")
    assert dispatch(["provision", "hosts.yml"]) == 1
    told = capsys.readouterr().err
    errors = [line for line in told.splitlines() if line.startswith("coreops: ")]
    assert len(errors) == 2, "one a region"
    assert told.count(f"next: {step}") == 2
    assert not any(instances(region) for region in REGIONS)
