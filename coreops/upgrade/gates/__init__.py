"""Gates: may this node go down, and is it well after it came back? What the inventory asks for, and what always counts.

``spec`` reads gates, ``GateSet`` makes a node's steps and turns their records into one Health. Only ``controller``
opens connections.
"""
