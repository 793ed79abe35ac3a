"""A deterministic simulator of everything a rollout meets, and rehearsals on it. Pure: no I/O, no real time.

``world`` (time, power, etcd), ``machine`` and ``store`` are what is simulated; ``hands`` does what a coordinator asks;
``controller`` is a process that runs one; ``faults`` go wrong; ``invariants`` are what must hold whatever happens.
"""
