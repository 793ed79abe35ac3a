"""``coreops units`` on each scheduler: the same verbs, in talks. Pure.

``protocol`` is what each can do; ``own`` is the scheduler units, ``fleet`` takes them as they are, ``swarm`` and
``nomad`` have them converted.
"""
