"""fleet's units as services of Swarm and jobs of Nomad: ``service`` reads what a unit runs, ``swarm`` and ``nomad``
write it, ``convert`` is the whole way. What has no equivalent is a ``Loss``, with the key and the line. Pure.
"""
