"""Partition-swap upgrades: channels and releases, slot drivers, leases, gates, and the pure coordinator above them."""
