"""``coreops heal``: finds dead members and nodes, says what would be done about them, and does it.

``seen`` is what was found out, ``decide`` what follows from it: both pure. ``look`` asks the nodes, the store and the
scheduler; ``loop`` looks, decides, asks and acts, one act at a time. What an act is made of is handed in.
"""
