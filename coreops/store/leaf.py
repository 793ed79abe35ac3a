"""A certificate that must exist, by name. Data only, so that who merely names one need not import cryptography."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate that must exist: ``file`` is its path below the folder, without suffix. No SANs: client only.

    client False: for a server that is none of the cluster's. The store takes every client certificate of this
    authority for an operator's.
    """

    file: str
    name: str
    sans: tuple[str, ...] = ()
    client: bool = True
