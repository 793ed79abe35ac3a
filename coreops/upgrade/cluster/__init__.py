"""The real world the coordinator talks to: ``Do`` in, ``Did`` or ``Failed`` out, over the engine's SSH sessions.

``cluster`` has the threads and the queue, ``actions`` what each action is on a node, ``nodes`` and ``asking`` the way
to nodes and to the store. Decides nothing: that is the coordinator's.
"""
