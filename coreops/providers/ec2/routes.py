"""Whether a machine that is to have a public address can be reached by it: EC2 itself does not ask that."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from coreops.errors import InputError
from coreops.providers.ec2 import request
from coreops.providers.ec2.clients import Clients
from coreops.providers.ec2.settings import Settings
from coreops.providers.protocol import Wanted

_EVERYWHERE = ("0.0.0.0/0", "::/0")


class Routes:
    """Looks at each subnet once."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._known: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def check(self, wanted: Wanted, settings: Settings) -> None:
        """Raise InputError for a subnet that gives public addresses and has no way out. botocore's errors pass.

        Only subnets that are named: EC2's own default ones have a way.
        """
        subnet = settings.subnet_id()
        if subnet is None or settings.public_ip is False:
            return
        with self._lock:
            key = settings.region, subnet
            if key not in self._known:
                self._known[key] = self._lacks(settings, subnet)
            lacks = self._known[key]
        if lacks:
            raise InputError(
                f"{wanted.node}: nobody could reach it in {subnet}",
                where=wanted.where,
                why=lacks,
                next="add a route 0.0.0.0/0 to an internet gateway, name another ec2_subnet, or set"
                " ec2_public_ip: false and go through a jump host",
            )

    def _lacks(self, settings: Settings, subnet: str) -> str:
        client = self._clients.of("ec2", settings.region)
        about = client.describe_subnets(SubnetIds=[subnet])["Subnets"][0]
        if settings.public_ip is None and not about.get("MapPublicIpOnLaunch"):
            return ""
        for asked in (request.routes_of(subnet), request.main_routes(about["VpcId"])):
            if tables := client.describe_route_tables(**asked)["RouteTables"]:
                return "" if _leads_out(tables[0]["Routes"]) else "its route table has no way to the internet"
        return f"{about['VpcId']} has no route table"


def _leads_out(routes: Iterable[Mapping[str, Any]]) -> bool:
    return any(
        each.get("State", "active") == "active"
        and (each.get("DestinationCidrBlock") or each.get("DestinationIpv6CidrBlock")) in _EVERYWHERE
        for each in routes
    )
