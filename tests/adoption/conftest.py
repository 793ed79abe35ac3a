"""A real sshd, and an inventory that knows how to log in to it."""

from __future__ import annotations

from tests.support.sshd import new_sshd, sshd

__all__ = ["new_sshd", "sshd"]
