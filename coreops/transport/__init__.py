"""Connections to hosts: one protocol, four implementations. Imports none of them until one is asked for.

May know ssh, sudo and processes; must not know segments, frames, modules or playbooks.
"""

from __future__ import annotations

from coreops.errors import InputError, did_you_mean
from coreops.transport.protocol import Chunk, Connection, Transport

__all__ = ["Chunk", "Connection", "Transport", "transport_for"]

NAMES = ("fake", "local", "openssh", "paramiko")


def transport_for(name: str) -> Transport:
    """Return a new transport by name. Raises InputError for a name that does not exist."""
    if name == "paramiko":
        from coreops.transport.paramiko import ParamikoTransport

        return ParamikoTransport()
    if name == "openssh":
        from coreops.transport.openssh import OpensshTransport

        return OpensshTransport()
    if name == "local":
        from coreops.transport.local import LocalTransport

        return LocalTransport()
    if name == "fake":
        from coreops.transport.fake import FakeTransport

        return FakeTransport()
    hint = did_you_mean(name, NAMES) or f"use one of: {', '.join(NAMES)}"
    raise InputError(f"unknown transport {name!r}", next=hint)
