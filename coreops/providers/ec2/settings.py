"""The ``ec2_*`` variables of a node, typed and checked. Pure: asks nobody, so a name that EC2 does not know passes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from coreops.errors import InputError, did_you_mean
from coreops.providers.protocol import Wanted

PREFIX = "ec2_"
USER_DATA_LIMIT = 16384
"""Bytes, raw: EC2 counts before base64."""
OWN_TAGS = "coreops:"
REGION = r"[a-z]{2,}(-[a-z]+)+-[0-9]+"


def _network(text: str) -> str:
    return str(ip_network(text))


def _named(text: str) -> str:
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("must be a name without blanks around it")
    return text


Name = Annotated[str, AfterValidator(_named)]
Network = Annotated[str, AfterValidator(_network)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True)


class Disk(_Strict):
    """One EBS volume. Encrypted, and gone with its machine, unless said otherwise."""

    device: Name
    size: int | None = Field(None, ge=1, le=65536)
    type: Name = "gp3"
    iops: int | None = Field(None, ge=100)
    throughput: int | None = Field(None, ge=125)
    snapshot: Name | None = None
    encrypted: bool = True
    keep: bool = False

    @model_validator(mode="after")
    def _has_a_size(self) -> Disk:
        if self.size is None and self.snapshot is None:
            raise ValueError("needs a size (GiB) or a snapshot")
        return self


class Settings(_Strict):
    """How one node becomes an instance. docs/ec2.md describes every field.

    ami: an id, or a map from region, or from channel to region, to an id. regions: where to look for machines of the
    cluster besides the regions of its nodes. target, platform: of the user-data, which others read.
    """

    region: Annotated[str, Field(pattern=f"^{REGION}$")]
    type: Name
    zone: Name | None = None
    regions: tuple[str, ...] = ()
    ami: Name | dict[str, Name | dict[str, Name]] | None = None
    ami_parameter: Name | None = None
    channel: Name | None = None
    subnet: Name | dict[str, Name] | None = None
    private_ip: Name | None = None
    public_ip: bool | None = None
    security_groups: tuple[Name, ...] = ()
    ssh_from: tuple[Network, ...] = ()
    iam_profile: Name | None = None
    key: Name | None = None
    spot: bool = False
    spot_max_price: Name | None = None
    ebs: tuple[Disk, ...] = ()
    tags: dict[Name, str] = {}
    target: Name | None = None
    platform: Name | None = None
    metadata_hops: int = Field(1, ge=1, le=64)

    @model_validator(mode="after")
    def _is_whole(self) -> Settings:
        if (self.ami is None) == (self.ami_parameter is None):
            raise ValueError("say ec2_ami or ec2_ami_parameter, one of them")
        if self.zone is not None and not re.fullmatch(f"{re.escape(self.region)}(-[a-z].*|[a-z])", self.zone):
            raise ValueError(f"zone {self.zone} is not in region {self.region}")
        if not self.security_groups and not self.ssh_from:
            raise ValueError("say ec2_ssh_from (networks that may use SSH), or ec2_security_groups of your own")
        if self.spot_max_price is not None and not self.spot:
            raise ValueError("ec2_spot_max_price needs ec2_spot: true")
        if taken := [key for key in self.tags if key.startswith((OWN_TAGS, "aws:"))]:
            raise ValueError(f"tag {taken[0]!r}: the names coreops:... and aws:... are taken")
        self.image_id()
        self.subnet_id()
        return self

    def image_id(self) -> str | None:
        """The AMI that the variables name; None: the SSM parameter says. Raises ValueError."""
        found: Any = self.ami
        if isinstance(found, Mapping) and self.channel is not None:
            found = _of(found, self.channel, "ec2_ami", "channel")
        if isinstance(found, Mapping):
            found = _of(found, self.region, "ec2_ami", "region")
        if isinstance(found, Mapping):
            raise ValueError("ec2_ami has channels: say ec2_channel")
        return found if found is None else str(found)

    def subnet_id(self) -> str | None:
        """The subnet that the variables name, by zone where they are a map. Raises ValueError."""
        if not isinstance(self.subnet, Mapping):
            return self.subnet
        if self.zone is None:
            raise ValueError("ec2_subnet is a map from zones: say ec2_zone")
        return str(_of(self.subnet, self.zone, "ec2_subnet", "zone"))


def _of(table: Mapping[str, Any], key: str, variable: str, kind: str) -> Any:
    if key not in table:
        raise ValueError(f"{variable} has no {kind} {key}; it has {', '.join(sorted(table))}")
    return table[key]


def read(wanted: Wanted) -> Settings:
    """Return the settings of a node. Raises InputError that names the variable."""
    if (size := len(wanted.user_data)) > USER_DATA_LIMIT:
        raise InputError(
            f"the user-data of {wanted.node} is {size} bytes",
            where=wanted.where,
            why=f"EC2 takes {USER_DATA_LIMIT} bytes at most, counted before base64",
            next="compress it, or move files out of it: coreops render says what is large",
        )
    own = {key.removeprefix(PREFIX): value for key, value in wanted.settings.items() if key.startswith(PREFIX)}
    try:
        return Settings.model_validate(own)
    except ValidationError as error:
        raise _refused(wanted, error) from None


def _refused(wanted: Wanted, error: ValidationError) -> InputError:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    # what is misspelt is missing besides
    first = next((each for each in errors if each["type"] == "extra_forbidden" and len(each["loc"]) == 1), errors[0])
    place = [str(part) for part in first["loc"] if not str(part).startswith(("constrained-", "function-"))]
    name = PREFIX + place[0] if place else ""
    message = first["msg"].removeprefix("Value error, ")
    near = did_you_mean(name, [PREFIX + field for field in Settings.model_fields]) if place else None
    if first["type"] == "extra_forbidden" and len(place) == 1:
        what = f"{wanted.node}: EC2 has no variable {name!r}"
        return InputError(what, where=wanted.where, next=near or "docs/ec2.md lists them")
    if first["type"] == "missing" and len(place) == 1:
        return InputError(f"{wanted.node} has no {name}", where=wanted.where, next=f"set {name} for it or its group")
    detail = ".".join([name, *place[1:]]) if place else "its ec2 variables"
    return InputError(f"{wanted.node}: {detail}: {message}", where=wanted.where, next="docs/ec2.md lists the variables")
