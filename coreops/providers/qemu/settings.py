"""The ``qemu_*`` variables of a node, typed and checked. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from coreops.errors import InputError, did_you_mean
from coreops.providers.namespace.recipe import RELEASES
from coreops.providers.protocol import Wanted

PREFIX = "qemu_"
Firmware = Literal["uefi", "gptprio"]
Target = Literal["cloud-init", "ignition"]


def _address(text: str) -> str:
    return str(IPv4Address(text))


def _release(text: str) -> str:
    if text not in RELEASES:
        raise ValueError(did_you_mean(text, RELEASES) or f"the guest's releases are {', '.join(RELEASES)}")
    return text


def _network(text: str) -> str:
    found = IPv4Network(text)
    if found.prefixlen > 28 or found.prefixlen < 16:
        raise ValueError("must be a network of /16 to /28")
    return str(found)


class Settings(BaseModel):
    """How one node becomes a virtual machine. docs/qemu.md describes every field.

    memory: MiB. release: which one of coreops's guest a new machine has. image: a raw disk of the operator's own in
    place of that guest; it is copied. address, network: fixed ones; without them the provider takes free ones. target,
    platform: of the user-data, which others read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    memory: int = Field(1024, ge=128, le=1 << 20)
    cpus: int = Field(1, ge=1, le=255)
    firmware: Firmware = "uefi"
    release: Annotated[str, AfterValidator(_release)] = RELEASES[0]
    image: str | None = Field(None, min_length=1)
    address: Annotated[str, AfterValidator(_address)] | None = None
    network: Annotated[str, AfterValidator(_network)] | None = None
    target: Target = "cloud-init"
    platform: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Settings:
        if self.image is not None and self.firmware != "uefi":
            raise ValueError("qemu_image is booted by the firmware of a machine: leave qemu_firmware out")
        if self.image is not None and "release" in self.model_fields_set:
            raise ValueError("qemu_release is one of coreops's guest, and qemu_image is another disk: leave one out")
        if self.address and self.network and not usable(IPv4Address(self.address), IPv4Network(self.network)):
            raise ValueError(f"qemu_address {self.address} is not one of the hosts of qemu_network {self.network}")
        return self

    @property
    def subnet(self) -> str | None:
        """The network that the variables ask for: the one named, or the /24 around the address."""
        if self.network or not self.address:
            return self.network
        return str(IPv4Interface(f"{self.address}/24").network)


def usable(address: IPv4Address, network: IPv4Network) -> bool:
    """Say whether a machine may have the address: the first is this machine's, and the last is everybody's."""
    return address in network and address not in (network[0], network[1], network[-1])


def read(wanted: Wanted) -> Settings:
    """Return the settings of a node. Raises InputError that names the variable."""
    own = {key.removeprefix(PREFIX): value for key, value in wanted.settings.items() if key.startswith(PREFIX)}
    try:
        return Settings.model_validate(own)
    except ValidationError as error:
        raise _refused(wanted, error.errors(include_url=False, include_context=False)[0]) from None


def _refused(wanted: Wanted, first: Any) -> InputError:
    name = PREFIX + str(first["loc"][0]) if first["loc"] else ""
    known = [PREFIX + field for field in Settings.model_fields]
    if first["type"] == "extra_forbidden":
        return InputError(
            f"{wanted.node}: qemu has no variable {name!r}",
            where=wanted.where,
            next=did_you_mean(name, known) or f"it has {', '.join(known)}",
        )
    return InputError(
        f"{wanted.node}: {name or 'its qemu variables'}: {first['msg'].removeprefix('Value error, ')}",
        where=wanted.where,
        next="docs/qemu.md lists the variables",
    )
