"""What DescribeInstances says, as machines. Pure. Only what carries a mark that is right becomes one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coreops.providers.ec2.request import CLUSTER, MARK, NODE, USER_DATA
from coreops.providers.protocol import Machine, MachineState, mark

LIVE: Mapping[str, MachineState] = {
    "pending": "pending",
    "running": "running",
    "stopping": "stopped",
    "stopped": "stopped",
}
"""EC2's states that still are a machine. shutting-down and terminated are not: nothing brings those back."""

# An IPv6 address of EC2 is a public one.
_ADDRESSES = {"private_ipv4": "PrivateIpAddress", "public_ipv4": "PublicIpAddress", "public_ipv6": "Ipv6Address"}

_NOT_THEIRS = ("coreops:", "aws:")
"""How tags begin that the operator did not set."""


def tags_of(instance: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}


def is_ours(instance: Mapping[str, Any]) -> bool:
    """Whether the mark is that of the cluster and node it names: a copied tag alone is not enough."""
    tags = tags_of(instance)
    return MARK in tags and tags[MARK] == mark(tags.get(CLUSTER, ""), tags.get(NODE, ""))


def machine(instance: Mapping[str, Any], region: str) -> Machine:
    """One instance that is alive and ours."""
    tags = tags_of(instance)
    return _machine(instance, region, tags[NODE], {"cluster": tags[CLUSTER], "user_data": tags.get(USER_DATA, "")})


def anybodys(instances: Iterable[Mapping[str, Any]], region: str) -> list[Machine]:
    """Instances that are alive, whoever made them, under the names that their tags give them."""
    found = []
    for each in instances:
        tags = tags_of(each)
        name = tags[NODE] if is_ours(each) else tags.get("Name") or each["InstanceId"]
        if each["State"]["Name"] in LIVE:
            found.append(_machine(each, region, name, {}))
    return found


def _machine(instance: Mapping[str, Any], region: str, node: str, own: Mapping[str, str]) -> Machine:
    tags = tags_of(instance)
    facts = {
        "region": region,
        "type": instance["InstanceType"],
        "image": instance["ImageId"],
        "zone": instance.get("Placement", {}).get("AvailabilityZone", ""),
        "subnet": instance.get("SubnetId", ""),
        "market": instance.get("InstanceLifecycle", "on-demand"),
        "scaling_group": tags.get("aws:autoscaling:groupName", ""),
        **own,
        **{f"tag:{name}": value for name, value in tags.items() if not name.startswith(_NOT_THEIRS)},
    }
    return Machine(
        node=node,
        id=instance["InstanceId"],
        state=LIVE[instance["State"]["Name"]],
        addresses={kind: instance[key] for kind, key in _ADDRESSES.items() if instance.get(key)},
        facts={key: value for key, value in facts.items() if value},
    )


def machines(instances: Iterable[Mapping[str, Any]], region: str, cluster: str) -> list[Machine]:
    """The machines of a cluster, by node, then by id."""
    found = [machine(each, region) for each in instances if is_ours(each) and each["State"]["Name"] in LIVE]
    return sorted((one for one in found if one.facts["cluster"] == cluster), key=lambda one: (one.node, one.id))


def lost(instances: Iterable[Mapping[str, Any]], cluster: str) -> list[tuple[str, str, str]]:
    """Node, id and reason of machines that ended without being told to, where no other took the place."""
    ours = [(tags_of(each)[NODE], each) for each in instances if is_ours(each) and tags_of(each)[CLUSTER] == cluster]
    alive = {node for node, each in ours if each["State"]["Name"] in LIVE}
    ends = [(node, each) for node, each in ours if node not in alive and died(each) and not on_demand(each)]
    return [(node, each["InstanceId"], died(each)) for node, each in ends]


def on_demand(instance: Mapping[str, Any]) -> bool:
    """Whether somebody asked EC2 to end or stop it."""
    return died(instance).startswith("Client.UserInitiated")


def died(instance: Mapping[str, Any]) -> str:
    """Why an instance ended, verbatim (``Server.SpotInstanceTermination: ...``), or ""."""
    reason = instance.get("StateReason", {})
    return ": ".join(part for part in (reason.get("Code"), reason.get("Message")) if part)
