"""What is asked of EC2 for one node, as the parameters of API calls. Pure; ``plan`` prints what ``create`` sends.

Identity: a machine carries the tags ``coreops:cluster``, ``coreops:node`` and ``coreops:mark`` (a digest of both), set
by the very call that makes it. The client token is the mark and a *generation*, counted up each time EC2 says that
the machine of a token has ended; so a call that is sent twice makes one machine, by any controller, without a memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coreops.providers.ec2.settings import Disk, Settings
from coreops.providers.protocol import Wanted, digest, mark

CLUSTER, NODE, MARK, USER_DATA = "coreops:cluster", "coreops:node", "coreops:mark", "coreops:user-data"

Parameters = dict[str, Any]
_NOT_ENDED = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}


def token(wanted: Wanted, generation: int) -> str:
    """At most 64 characters of ASCII, as EC2 wants it."""
    return f"{mark(wanted.cluster, wanted.node)}-{generation}"


def tags(wanted: Wanted, settings: Settings) -> dict[str, str]:
    """The node's tags: the operator's first, so that none of them takes the place of ours."""
    return {
        "Name": wanted.node,
        **settings.tags,
        CLUSTER: wanted.cluster,
        NODE: wanted.node,
        MARK: mark(wanted.cluster, wanted.node),
        USER_DATA: digest(wanted.user_data),
    }


def run_instances(
    wanted: Wanted, settings: Settings, image: str, groups: tuple[str, ...], generation: int
) -> Parameters:
    """The parameters of RunInstances."""
    labels = pairs(tags(wanted, settings))
    tagged = ("instance", "volume", "spot-instances-request") if settings.spot else ("instance", "volume")
    asked: Parameters = {
        "ClientToken": token(wanted, generation),
        "MinCount": 1,
        "MaxCount": 1,
        "ImageId": image,
        "InstanceType": settings.type,
        "UserData": wanted.user_data,
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": settings.metadata_hops,
        },
        "TagSpecifications": [{"ResourceType": kind, "Tags": labels} for kind in tagged],
        **_network(settings, groups),
    }
    if settings.zone:
        asked["Placement"] = {"AvailabilityZone": settings.zone}
    if settings.key:
        asked["KeyName"] = settings.key
    if settings.iam_profile:
        kind = "Arn" if settings.iam_profile.startswith("arn:") else "Name"
        asked["IamInstanceProfile"] = {kind: settings.iam_profile}
    if settings.ebs:
        asked["BlockDeviceMappings"] = [_disk(disk) for disk in settings.ebs]
    if settings.spot:
        price = {"MaxPrice": settings.spot_max_price} if settings.spot_max_price else {}
        asked["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "one-time", **price},
        }
    return asked


def _network(settings: Settings, groups: tuple[str, ...]) -> Parameters:
    """Whether an address is public can only be said of an interface, and then all else has to be said there too."""
    subnet = settings.subnet_id()
    if settings.public_ip is None:
        place = {"SubnetId": subnet} if subnet else {}
        address = {"PrivateIpAddress": settings.private_ip} if settings.private_ip else {}
        return {"SecurityGroupIds": list(groups), **place, **address}
    card: Parameters = {"DeviceIndex": 0, "AssociatePublicIpAddress": settings.public_ip, "Groups": list(groups)}
    if subnet:
        card["SubnetId"] = subnet
    if settings.private_ip:
        card["PrivateIpAddress"] = settings.private_ip
    return {"NetworkInterfaces": [card]}


def _disk(disk: Disk) -> Parameters:
    optional = {
        "VolumeSize": disk.size,
        "Iops": disk.iops,
        "Throughput": disk.throughput,
        "SnapshotId": disk.snapshot,
    }
    said = {key: value for key, value in optional.items() if value is not None}
    ebs = {"VolumeType": disk.type, "Encrypted": disk.encrypted, "DeleteOnTermination": not disk.keep, **said}
    return {"DeviceName": disk.device, "Ebs": ebs}


def group_name(cluster: str) -> str:
    """The security group that coreops makes for a cluster, one in each network it uses."""
    return f"coreops-{mark(cluster, '')[:16]}"


def create_group(cluster: str, vpc: str) -> Parameters:
    """The parameters of CreateSecurityGroup."""
    owned = pairs({"Name": f"coreops {cluster}", CLUSTER: cluster, MARK: mark(cluster, "")})
    return {
        "GroupName": group_name(cluster),
        "Description": "Made by coreops: SSH, and etcd within the cluster",
        "VpcId": vpc,
        "TagSpecifications": [{"ResourceType": "security-group", "Tags": owned}],
    }


def named_group(cluster: str, vpc: str) -> Parameters:
    """The parameters of DescribeSecurityGroups that find that group."""
    return {"Filters": [{"Name": "group-name", "Values": [group_name(cluster)]}, {"Name": "vpc-id", "Values": [vpc]}]}


def routes_of(subnet: str) -> Parameters:
    """The parameters of DescribeRouteTables that find a subnet's own table."""
    return {"Filters": [{"Name": "association.subnet-id", "Values": [subnet]}]}


def main_routes(vpc: str) -> Parameters:
    """Those that find the table of all subnets of a network that have none of their own."""
    return {"Filters": [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]}


def rules(group: str, ssh_from: tuple[str, ...]) -> list[Parameters]:
    """What may come in: SSH from the networks named, etcd from members of the group. One permission each, so that a
    rule that is there already does not keep the others out.
    """
    etcd = {
        "IpProtocol": "tcp",
        "FromPort": 2379,
        "ToPort": 2380,
        "UserIdGroupPairs": [{"GroupId": group, "Description": "etcd"}],
    }
    return [etcd, *(_ssh(network) for network in ssh_from)]


def _ssh(network: str) -> Parameters:
    family, key = ("Ipv6Ranges", "CidrIpv6") if ":" in network else ("IpRanges", "CidrIp")
    return {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, family: [{key: network, "Description": "SSH"}]}


def marked(marks: Sequence[str]) -> Parameters:
    """The parameters of DescribeInstances that find the machines of nodes, dead ones too."""
    return {"Filters": [{"Name": f"tag:{MARK}", "Values": list(marks)}]}


def named(ids: Sequence[str]) -> Parameters:
    """Those that find machines by their ids. Unlike InstanceIds, a filter lets one of many be missing."""
    return {"Filters": [{"Name": "instance-id", "Values": list(ids)}]}


def of_cluster(cluster: str) -> Parameters:
    """The parameters of DescribeInstances that find all machines of a cluster. ``*`` and ``?`` would mean others."""
    return {"Filters": [{"Name": f"tag:{CLUSTER}", "Values": [_exactly(cluster)]}]}


def tagged(tags: Mapping[str, str]) -> Parameters:
    """The parameters of DescribeInstances that find all machines, whoever made them, with these tags."""
    return {"Filters": [*({"Name": f"tag:{key}", "Values": [_exactly(tags[key])]} for key in tags), _NOT_ENDED]}


def _exactly(value: str) -> str:
    return "".join(f"\\{char}" if char in "*?\\" else char for char in value)


def alive(cluster: str) -> Parameters:
    """Those of a cluster that have not ended."""
    return {"Filters": [*of_cluster(cluster)["Filters"], _NOT_ENDED]}


def pairs(of: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the API writes them."""
    return [{"Key": key, "Value": value} for key, value in of.items()]
