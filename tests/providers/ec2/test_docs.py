"""What docs/ec2.md says is so: its inventory works, and its policy allows what is called, and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from coreops.inventory.lookup import KEYS, read_lookup
from coreops.providers.ec2 import Ec2
from coreops.providers.ec2.clients import Clients
from coreops.providers.ec2.settings import PREFIX, Settings, read
from coreops.providers.protocol import Wanted
from tests.providers.ec2.cloud import Cloud, way_out
from tests.providers.ec2.nodes import AMI, QUICK, WHERE, wanted

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[3] / "docs" / "ec2.md").read_text()


def block(language: str, number: int = 0) -> str:
    return str(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number])


def test_every_variable_is_described_and_no_other() -> None:
    rows = "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `ec2_"))
    beside = {"ec2_channel"}  # described with ec2_ami
    assert set(re.findall(r"`(ec2_\w+)`", rows)) | beside == {PREFIX + field for field in Settings.model_fields}


def test_the_inventory_is_one() -> None:
    everything: dict[str, Any] = yaml.safe_load(block("yaml"))["all"]
    for group in everything["children"].values():
        for node, own in group["hosts"].items():
            settings = everything["vars"] | group["vars"] | (own or {})
            read(Wanted(node, "prod", b"", settings, WHERE))


def test_the_lookup_is_one() -> None:
    lookup = read_lookup(block("yaml", 1), "ec2.coreops.yml")
    assert lookup.tags == {"team": "ops"}
    assert lookup.groups["old"]["tag:role"] == ("store", "worker")
    rows = re.findall(r"^\| (`.*?) \|", PAGE[PAGE.index("| key |") :], re.MULTILINE)
    described = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert set(KEYS) <= described


def test_the_policy_allows_what_is_called_and_no_more(cloud: Cloud, clients: Clients) -> None:
    clients.of("ssm", "eu-west-1").put_parameter(Name="/ami", Value=AMI, Type="String")
    subnet = clients.of("ec2", "eu-west-1").describe_subnets()["Subnets"][0]["SubnetId"]
    way_out(clients.of("ec2", "eu-west-1"))
    cloud.calls.clear()
    ec2 = Ec2(clients=clients, patience=QUICK)
    ec2.create(wanted(ami=None, ami_parameter="/ami"))
    machine = ec2.create(wanted("n2", subnet=subnet))
    ec2.host_keys(machine)
    ec2.power(machine, "reset")
    ec2.power(machine, "off")
    ec2.create(wanted("n2", subnet=subnet))
    for each in ec2.observe("prod"):
        ec2.destroy(each)
    called = {("ssm:" if name == "GetParameter" else "ec2:") + name for name in cloud.calls}
    allowed = {action for statement in json.loads(block("json"))["Statement"] for action in statement["Action"]}
    assert allowed == called | {"ec2:CreateTags"}, "tags that a call sets need CreateTags too"
