"""The security group that coreops makes for a cluster in one network, and removes with the cluster's last machine."""

from __future__ import annotations

import threading
from typing import Any

from coreops.errors import InputError, RefusedError
from coreops.providers.ec2.clients import Clients
from coreops.providers.ec2.failures import code
from coreops.providers.ec2.machines import tags_of
from coreops.providers.ec2.patience import Patience
from coreops.providers.ec2.request import MARK, create_group, group_name, named_group, rules
from coreops.providers.ec2.settings import Settings
from coreops.providers.protocol import Wanted, mark


class Groups:
    """Finds or makes the groups of nodes. Many threads ask for the same one: the first does the work."""

    def __init__(self, clients: Clients, patience: Patience) -> None:
        self._clients = clients
        self._patience = patience
        self._known: dict[tuple[str, str, str, tuple[str, ...]], str] = {}
        self._lock = threading.Lock()

    def of(self, wanted: Wanted, settings: Settings) -> tuple[str, ...]:
        """Return the groups of a node. botocore's errors pass."""
        if settings.security_groups:
            return settings.security_groups
        with self._lock:
            key = settings.region, wanted.cluster, settings.subnet_id() or "", settings.ssh_from
            if key not in self._known:
                self._known[key] = self._ready(wanted, settings)
            return (self._known[key],)

    def _ready(self, wanted: Wanted, settings: Settings) -> str:
        client = self._clients.of("ec2", settings.region)
        vpc = _vpc(client, wanted, settings)
        group = _find(client, wanted.cluster, vpc) or self._make(client, wanted.cluster, vpc)
        for rule in rules(group, settings.ssh_from):
            self._allow(client, group, rule)
        return group

    def _make(self, client: Any, cluster: str, vpc: str) -> str:
        from botocore.exceptions import ClientError

        try:
            return str(client.create_security_group(**create_group(cluster, vpc))["GroupId"])
        except ClientError as error:
            if code(error) != "InvalidGroup.Duplicate":
                raise
            # Another controller was faster.
            found = self._patience.until(self._patience.appear, lambda: _find(client, cluster, vpc))
            if found is None:
                raise
            return found

    def _allow(self, client: Any, group: str, rule: dict[str, Any]) -> None:
        """Add a rule, unless it is there. A group that was made just now may not be known to this call yet."""
        from botocore.exceptions import ClientError

        refusal: list[ClientError] = []

        def add() -> bool | None:
            try:
                client.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
            except ClientError as error:
                if code(error) == "InvalidPermission.Duplicate":
                    return True
                if code(error) != "InvalidGroup.NotFound":
                    raise
                refusal.append(error)
                return None
            return True

        if self._patience.until(self._patience.appear, add) is None:
            raise refusal[-1]

    def remove(self, cluster: str, region: str) -> None:
        """Remove the cluster's groups in a region, once nothing uses them. Waits for machines that are ending."""
        from botocore.exceptions import ClientError

        client = self._clients.of("ec2", region)
        for group in _owned(client, cluster):
            refusal: list[ClientError] = []

            def delete(group: str = group, refusal: list[ClientError] = refusal) -> bool | None:
                try:
                    client.delete_security_group(GroupId=group)
                except ClientError as error:
                    if code(error) == "InvalidGroup.NotFound":
                        return True
                    if code(error) != "DependencyViolation":
                        raise
                    refusal.append(error)
                    return None
                return True

            if self._patience.until(self._patience.end, delete) is None:
                raise refusal[-1]
        with self._lock:
            self._known = {key: group for key, group in self._known.items() if key[:2] != (region, cluster)}


def _vpc(client: Any, wanted: Wanted, settings: Settings) -> str:
    if subnet := settings.subnet_id():
        return str(client.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"])
    found = client.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not found:
        raise InputError(
            f"{wanted.node}: region {settings.region} has no default VPC",
            where=wanted.where,
            next="set ec2_subnet",
        )
    return str(found[0]["VpcId"])


def _find(client: Any, cluster: str, vpc: str) -> str | None:
    name = group_name(cluster)
    for group in client.describe_security_groups(**named_group(cluster, vpc))["SecurityGroups"]:
        if tags_of(group).get(MARK) != mark(cluster, ""):
            raise RefusedError(
                f"the security group {group['GroupId']} has the name {name} but not the mark of {cluster}",
                why="coreops changes only groups that it made",
                next="rename or delete it, or set ec2_security_groups",
            )
        return str(group["GroupId"])
    return None


def _owned(client: Any, cluster: str) -> list[str]:
    asked = [{"Name": f"tag:{MARK}", "Values": [mark(cluster, "")]}]
    return [str(group["GroupId"]) for group in client.describe_security_groups(Filters=asked)["SecurityGroups"]]
