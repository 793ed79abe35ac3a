"""Who may disrupt which node, and which versions failed: leases with fencing tokens, denials, and the record of both.

One set of rules (``book``) over one compare-and-swap protocol (``places``); two kinds of places: etcd, and markers on
the nodes themselves where there is no etcd. ``docs/lock-format.md`` is the format.
"""
