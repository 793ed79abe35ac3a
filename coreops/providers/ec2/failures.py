"""What AWS refuses, as errors that say it verbatim and add the next step. Knows the codes; makes no call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coreops.errors import CoreopsError, InputError, RefusedError, did_you_mean
from coreops.providers.ec2.clients import known_regions

_AGAIN = "run it again: what was made so far is kept"
_ELSEWHERE = "run it again later, or choose another ec2_zone or ec2_type; what was made so far is kept"
_QUOTA = "ask AWS for more (Service Quotas, EC2), or use fewer or smaller machines; what was made so far is kept"
_LOGIN = "log in again (AWS_PROFILE, aws sso login), then run it again"

NEXT = {
    "UnauthorizedOperation": "allow the action named to these credentials; docs/ec2.md has the least policy",
    "AccessDenied": "allow the action named to these credentials; docs/ec2.md has the least policy",
    "AccessDeniedException": "allow the action named to these credentials; docs/ec2.md has the least policy",
    "AuthFailure": _LOGIN,
    "InvalidClientTokenId": _LOGIN,
    "SignatureDoesNotMatch": _LOGIN,
    "ExpiredToken": _LOGIN,
    "RequestExpired": _LOGIN + "; if it stays, set this machine's clock",
    "OptInRequired": "enable the region, or subscribe to the image, in the AWS account",
    "InsufficientInstanceCapacity": _ELSEWHERE,
    "InsufficientHostCapacity": _ELSEWHERE,
    "Unsupported": "choose an ec2_zone that offers this ec2_type",
    "SpotMaxPriceTooLow": "raise ec2_spot_max_price, or drop it to pay what on-demand costs at most",
    "MaxSpotInstanceCountExceeded": _QUOTA,
    "InstanceLimitExceeded": _QUOTA,
    "VcpuLimitExceeded": _QUOTA,
    "VolumeLimitExceeded": _QUOTA,
    "SecurityGroupLimitExceeded": _QUOTA,
    "InsufficientFreeAddressesInSubnet": "choose another ec2_subnet, or free addresses in this one",
    "InvalidIPAddress.InUse": "choose another ec2_private_ip: somebody has this one",
    "InvalidAMIID.NotFound": "an AMI belongs to one region: correct ec2_ami",
    "InvalidAMIID.Malformed": "correct ec2_ami",
    "InvalidAMIID.Unavailable": "choose another ec2_ami",
    "ParameterNotFound": "correct ec2_ami_parameter; parameters are per region",
    "InvalidInstanceType": "correct ec2_type",
    "InvalidSubnetID.NotFound": "correct ec2_subnet; subnets are per zone",
    "InvalidGroup.NotFound": "correct ec2_security_groups; they are per region and VPC",
    "InvalidKeyPair.NotFound": "correct ec2_key; key pairs are per region",
    "InvalidAvailabilityZone": "correct ec2_zone",
    "VPCIdNotSpecified": "set ec2_subnet: this region has no default VPC",
    "RequestLimitExceeded": _AGAIN,
    "Throttling": _AGAIN,
    "IncorrectInstanceState": "wait until it has settled, then run it again",
    "UnsupportedOperation": "this kind of instance cannot do that",
    "OperationNotPermitted": "it is protected in EC2: change that there if it is meant to go",
}
_SPOT = "EC2 took the spot capacity back: run it again, or set ec2_spot: false"


def code(error: Any) -> str:
    """The code of a botocore ClientError."""
    return str(error.response.get("Error", {}).get("Code", ""))


def ended(node: str, why: str) -> CoreopsError:
    """A machine that EC2 began and ended by itself."""
    name = why.partition(":")[0].removeprefix("Server.").removeprefix("Client.")
    step = _SPOT if name.startswith("SpotInstance") else NEXT.get(name, _AGAIN)
    return CoreopsError("EC2 ended the machine before it ran", where=node, why=why or None, next=step)


@contextmanager
def told(what: str, where: object, region: str) -> Iterator[None]:
    """Turn what botocore raises into an error for the operator. A refusal of EC2 is ``why``, code and message."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointConnectionError,
        NoCredentialsError,
        PartialCredentialsError,
    )
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        message = str(error.response.get("Error", {}).get("Message", ""))
        raise CoreopsError(
            f"{what} in {region}: EC2 refused {error.operation_name}",
            where=where,
            why=f"{code(error)}: {message}",
            next=NEXT.get(code(error), "correct what EC2 names, then run it again: what was made so far is kept"),
        ) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise InputError(
            "there are no AWS credentials",
            where=where,
            why=str(error),
            next="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from error
    except EndpointConnectionError as error:
        near = _near(region)
        kind = CoreopsError if near is None else InputError
        raise kind(f"{what}: cannot reach EC2 in {region}", where=where, why=str(error), next=near or _AGAIN) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise CoreopsError(f"{what} in {region} failed", where=where, why=str(error), next=_AGAIN) from error


def _near(region: str) -> str | None:
    """A region that nobody knows shows only as a name that does not resolve."""
    import boto3

    known = known_regions(boto3.session.Session())
    return None if region in known else did_you_mean(region, known) or "correct ec2_region"


def not_ours(machine: str, node: str) -> RefusedError:
    return RefusedError(
        f"{machine} does not carry the mark of {node}",
        where=node,
        why="coreops touches only machines that it made, or that carry the same tags",
        next="look at its tags coreops:cluster, coreops:node and coreops:mark",
    )
