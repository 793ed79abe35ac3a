"""Delivery: user-data in the form in which a machine takes it. A drive, a message, hypervisor settings, a boot script.

Knows rendered bytes, targets and platforms. Must not know the node model's keys, inventories or hosts.
"""
