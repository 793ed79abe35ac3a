"""``coreops discovery``: where etcd members that boot alone find each other, as discovery.etcd.io's API has it.

Guarantees: a token is for one cluster, once; what was registered survives ``kill -9``; a surplus member is refused and
named, and does not become a proxy by itself. ``registry``, ``request`` and ``answer`` are pure.
"""
