"""``coreops adopt``: machines that are there, and that the inventory does not know yet, become its hosts.

``candidate`` is who may be one, ``look`` connects and asks, ``decide`` says which host each is, or why none (pure),
``keep`` writes what an operator has confirmed. Nothing is believed that the machine's host key does not vouch for.
"""
