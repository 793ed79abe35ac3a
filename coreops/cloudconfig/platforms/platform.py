"""One platform as data. Every fact carries its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Encoding = Literal["gzip", "base64", "multipart"]
VARIABLES = ("public_ipv4", "private_ipv4", "public_ipv6", "private_ipv6")
"""What coreos-cloudinit substitutes, written ``$private_ipv4``."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is so, and who says it."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Limit:
    """The most bytes of user-data: as they are, or after base64 (only one of them is what the platform counts)."""

    source: str
    raw: int | None = None
    encoded: int | None = None


@dataclass(frozen=True, slots=True)
class Substitution:
    """Where the value of a variable comes from. sure False: a machine may have none, and gets an empty text."""

    origin: str
    source: str
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A platform. gzip among ``encodings``: who reads user-data there unpacks it. readers: who else can read it."""

    name: str
    user_data: Fact
    limit: Limit | None = None
    encodings: tuple[Encoding, ...] = ()
    substitutions: Mapping[str, Substitution] = field(default_factory=dict)
    metadata: Fact | None = None
    default_user: str = "core"
    quirks: tuple[Fact, ...] = ()
    readers: Fact = Fact("every process on the machine, and who may see what keeps it", "assumed: the usual case")
