"""What has to happen to each node, and the API calls it takes. Pure.

What a machine can be compared by: region, type, zone, subnet, and the image when an AMI is named. An image that an SSM
parameter names moves by itself; nodes follow it by ``coreops upgrade``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from coreops.providers import planning
from coreops.providers.ec2 import request
from coreops.providers.ec2.settings import Settings, read
from coreops.providers.protocol import Action, Change, Machine, Wanted, digest, mark


def plan(wanted: Sequence[Wanted], found: Sequence[Machine]) -> tuple[Change, ...]:
    """Return the changes. A node with two machines is left alone: which one lives is not ours to say."""
    ids: dict[str, list[str]] = {}
    for machine in found:
        ids.setdefault(machine.node, []).append(machine.id)
    changes = planning.plan(wanted, found, _facts, _calls)
    return tuple(_once(change, ids.get(change.node, [])) for change in changes)


def _once(change: Change, ids: list[str]) -> Change:
    if len(ids) < 2:
        return change
    why = f"{len(ids)} machines carry its mark: {', '.join(ids)}; end all but one of them in EC2"
    return replace(change, action="keep", why=why, calls=())


def _facts(wanted: Wanted) -> Mapping[str, str]:
    settings = read(wanted)
    facts = {
        "region": settings.region,
        "type": settings.type,
        "zone": settings.zone,
        "subnet": settings.subnet_id(),
        "image": settings.image_id(),
        planning.USER_DATA: digest(wanted.user_data),
    }
    return {name: value for name, value in facts.items() if value}


def _calls(action: Action, node: str, wanted: Wanted | None, machine: Machine | None) -> tuple[str, ...]:
    found: list[str] = []
    if machine is not None and action in ("replace", "remove", "start"):
        region, ids = machine.facts.get("region", ""), {"InstanceIds": [machine.id]}
        operation = "StartInstances" if action == "start" else "TerminateInstances"
        found = [_call(region, "DescribeInstances", ids), _call(region, operation, ids)]
    if wanted is not None and action in ("create", "replace"):
        found += creating(wanted, read(wanted))
    return tuple(found)


def creating(wanted: Wanted, settings: Settings) -> list[str]:
    """Every API call that creating a node makes. ``{...}`` stands for what an earlier call answers."""
    region = settings.region
    ours = request.marked([mark(wanted.cluster, wanted.node)])
    lines = [_call(region, "DescribeInstances", ours, "of several nodes at a time")]
    image = settings.image_id()
    if image is None:
        lines.append(f"{region} ssm GetParameter {_json({'Name': settings.ami_parameter})}")
        image = "{value}"
    if (subnet := settings.subnet_id()) and settings.public_ip is not False:
        lines += [
            _call(region, "DescribeSubnets", {"SubnetIds": [subnet]}),
            _call(region, "DescribeRouteTables", request.routes_of(subnet)),
            _call(region, "DescribeRouteTables", request.main_routes("{vpc}"), "unless it has one of its own"),
        ]
    groups = settings.security_groups
    if not groups:
        groups = ("{group}",)
        lines += _group_calls(wanted, settings)
    asked = request.run_instances(wanted, settings, image, groups, 0)
    asked["UserData"] = f"{{{len(wanted.user_data)} bytes, sha256 {digest(wanted.user_data)}...}}"
    lines.append(_call(region, "RunInstances", asked))
    lines.append(
        _call(
            region,
            "DescribeInstances",
            request.named(["{instance}"]),
            "until it is shown, then of the cluster until it runs",
        )
    )
    lines.append(_call(region, "GetConsoleOutput", {"InstanceId": "{instance}"}, "until its host keys are there"))
    return lines


def _group_calls(wanted: Wanted, settings: Settings) -> list[str]:
    region, subnet = settings.region, settings.subnet_id()
    default = {"Filters": [{"Name": "is-default", "Values": ["true"]}]}
    made = request.create_group(wanted.cluster, "{vpc}")
    return [
        _call(region, "DescribeSubnets", {"SubnetIds": [subnet]}) if subnet else _call(region, "DescribeVpcs", default),
        _call(region, "DescribeSecurityGroups", request.named_group(wanted.cluster, "{vpc}")),
        _call(region, "CreateSecurityGroup", made, "unless it is there"),
        *(
            _call(region, "AuthorizeSecurityGroupIngress", {"GroupId": "{group}", "IpPermissions": [rule]})
            for rule in request.rules("{group}", settings.ssh_from)
        ),
    ]


def _call(region: str, operation: str, parameters: dict[str, Any], note: str = "") -> str:
    return f"{region} ec2 {operation} {_json(parameters)}" + (f"  ({note})" if note else "")


def _json(parameters: dict[str, Any]) -> str:
    return json.dumps(parameters, ensure_ascii=False)
